"""Enrichment: settings for Clay's public API, values that Clay found for leads, and results that come back from Clay's tables."""
