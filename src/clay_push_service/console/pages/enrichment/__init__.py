"""Pages of enrichment jobs."""
