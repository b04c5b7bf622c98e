"""After a scan: a project's rule, and the push of the new leads that it lets through."""
