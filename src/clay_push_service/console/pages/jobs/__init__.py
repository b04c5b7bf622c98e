"""The list of push jobs, a job, its live progress, and its cancel and retry."""
