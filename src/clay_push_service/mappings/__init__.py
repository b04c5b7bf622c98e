"""Mappings of an organization: their rows and versions, the compiled versions of a process, and the values of Clay that they need."""
