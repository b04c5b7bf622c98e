"""The demo: an embedded PostgreSQL, a miniature NexusLeads and a first push on one machine. `serve` does not use it."""
