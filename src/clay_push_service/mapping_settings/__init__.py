"""Settings of mappings and table templates: endpoints, changes with what they mean in Clay, preview with real leads."""
