"""Auto-enrich rules: enrich leads of a project after a scan, and again after some months."""
