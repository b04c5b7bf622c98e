"""Reads NexusLeads: tables in either vintage, tokens, members, billing, settings, projects, leads. Read-only."""
