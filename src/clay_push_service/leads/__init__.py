"""Who can be pushed, and as what: the filters and the payload. Knows nothing of Clay's answers."""
