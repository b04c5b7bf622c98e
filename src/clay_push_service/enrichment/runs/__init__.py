"""The worker's side of enrichment: starts runs of routines, reads their results, and repairs what dead workers left behind."""
