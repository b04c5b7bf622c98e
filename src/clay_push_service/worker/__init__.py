"""The worker process: queue worker, heartbeat, sweep and watchdog."""
