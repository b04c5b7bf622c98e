"""The web console over HTTP: sessions, forged requests, tenancy, pages without JavaScript."""
