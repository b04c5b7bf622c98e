"""Copies push job state into the job table of NexusLeads."""
