"""Grants, triggers and functions that `clay-push attach` creates in the NexusLeads database."""
