"""Endpoints that the unmodified NexusLeads frontend calls."""
