"""The commands `clay-push destinations …` and `clay-push workspaces …`."""
