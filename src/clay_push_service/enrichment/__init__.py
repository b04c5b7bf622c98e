"""Enrichment: requests data about leads from Clay, and keeps what Clay found."""
