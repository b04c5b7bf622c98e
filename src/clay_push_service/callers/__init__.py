"""Authentication and authorization of callers: members with a NexusLeads token, and services with a key."""
