"""Who is calling: a member of an organization with the host's token, or a service with a key."""
