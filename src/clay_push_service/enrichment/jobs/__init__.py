"""Requests to enrich leads: accept, cancel, read and watch."""
