"""Automatic pushes after a scan: rules, selection, preview and runs."""
