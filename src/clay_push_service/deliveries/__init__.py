"""The delivery ledger: all SQL that creates, claims, updates and checks deliveries and the counters of their push jobs."""
