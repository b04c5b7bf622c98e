"""`clay-push mappings`."""
