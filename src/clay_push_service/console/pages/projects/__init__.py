"""The projects of an organization and their auto-export rules."""
