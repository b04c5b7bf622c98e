"""Mutation testing: puts small faults into the most important code. A test must fail for each of them."""
