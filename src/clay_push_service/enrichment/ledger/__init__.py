"""The ledger of enrichment, SQL only: jobs, items and runs, with their states, causes, counters and budgets."""
