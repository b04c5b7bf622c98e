"""The integrations: tiles, Clay's panel with its settings and connection test, and the set-up guide."""
