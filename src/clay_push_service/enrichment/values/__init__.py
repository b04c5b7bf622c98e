"""Enriched values: normalisation, confidence, the choice of the current value, and the view of a lead."""
