"""Tests of the demo and of its small NexusLeads."""
