"""Implementation of the `clay-push` commands, one module each. Only commands print."""
