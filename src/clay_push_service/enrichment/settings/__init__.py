"""An organization's settings for enrichment: Clay API key, routines, pace, prices and budgets."""
