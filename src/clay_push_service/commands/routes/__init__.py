"""`clay-push segments` and `clay-push routes`."""
