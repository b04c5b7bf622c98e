"""Tests of the settings of mappings: API, changes, preview, templates."""
