"""Pages of mappings and table templates: list, editor with real leads beside it, versions, and texts to copy into Clay."""
