"""NexusLeads of both vintages, read on a real PostgreSQL."""
