"""Health, readiness, metrics and the status page for on-call engineers."""
