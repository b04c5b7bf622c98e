"""`clay-push exclusions`."""
