"""The `clay-push serve` command and the supervisor of its worker process."""
