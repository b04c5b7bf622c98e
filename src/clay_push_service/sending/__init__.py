"""The sending side of the worker: turns claimed deliveries into paced POSTs and records their outcomes."""
