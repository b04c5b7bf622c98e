"""Read models of push jobs, deliveries, leads and status."""
