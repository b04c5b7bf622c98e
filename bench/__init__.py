"""Measurements, not tests: they print tables and write JSON, on loopback, and end by themselves. `python -m bench [names]`."""
