"""Mappings: which columns a Clay table receives of a lead, and how each value is made. Pure; imports no framework."""
