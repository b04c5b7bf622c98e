"""The worker's side of enrichment: starts runs of routines, reads their results, and repairs rows that killed workers left unfinished."""
