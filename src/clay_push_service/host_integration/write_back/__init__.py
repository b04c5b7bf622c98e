"""Writes values of Clay into empty columns of NexusLeads, and undoes it."""
