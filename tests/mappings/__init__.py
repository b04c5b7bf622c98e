"""Tests of mappings in pushes: what is sent, with which version, and what counts as changed."""
