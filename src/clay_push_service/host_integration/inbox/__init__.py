"""Accepts the pushes that NexusLeads queues in its own job table, and reacts to finished scans."""
