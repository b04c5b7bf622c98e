"""Checks of values that settings hold, below the settings themselves."""
