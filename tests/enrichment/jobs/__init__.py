"""Enrichment jobs: requests, runs of routines, the round trip by the table, and their repair."""
