"""Sends NexusLeads' leads into Clay: queued, paced, once each, with an outcome for every lead."""

__version__ = "0.1.0"
