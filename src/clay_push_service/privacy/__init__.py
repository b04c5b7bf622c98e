"""What is kept about people and about acts: retention, erasure with its receipt, the audit log as owners read it."""
