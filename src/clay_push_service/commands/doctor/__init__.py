"""The `clay-push doctor` command: checks of the installation."""
