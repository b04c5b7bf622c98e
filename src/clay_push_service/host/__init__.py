"""NexusLeads, read only: its tables in either vintage, tokens, members, billing, settings, projects, leads. Writes nothing."""
