"""A PostgreSQL server on this machine and empty tables of NexusLeads, for the demo, the tests and the benchmarks, not the service."""
