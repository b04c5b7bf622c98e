"""Destinations and workspaces of an organization by name: endpoints, changes, archive, quota forecast."""
