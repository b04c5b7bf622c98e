"""Everything on one machine for a first look: an embedded PostgreSQL and a miniature NexusLeads; never used by `serve`."""
