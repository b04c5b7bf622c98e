"""Benchmarks on loopback: `python -m bench [names]` prints tables and writes JSON."""
