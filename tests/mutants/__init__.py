"""Mutation testing: small deliberate faults in the code that carries the promises, each of which a test must notice."""
