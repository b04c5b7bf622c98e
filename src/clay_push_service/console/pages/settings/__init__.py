"""Settings and records of an organization: service keys, results tokens, audit log and erasure."""
