"""The overview: what an organization's integration with Clay does now, and the figures of the last days."""
