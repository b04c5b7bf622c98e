"""`clay-push enrich` and `clay-push enrichment`: enrich leads, list enrichment jobs, and cancel one."""
