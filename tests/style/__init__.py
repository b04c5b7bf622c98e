"""Checks of the source tree that ruff does not have: forbidden words, sizes of files and folders, hidden import cycles."""
