"""Tests of mappings: pure."""
