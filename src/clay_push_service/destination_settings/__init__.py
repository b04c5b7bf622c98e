"""Reads, changes, tests and removes the Clay settings of an organization."""
