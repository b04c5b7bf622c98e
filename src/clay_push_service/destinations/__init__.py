"""Destinations: state, quota, pace and slots, sealed secrets, and the guard against internal addresses."""
