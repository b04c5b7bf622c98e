"""Pages of destinations and of the workspaces that they belong to."""
