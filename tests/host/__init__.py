"""Tests that read NexusLeads' tables of both vintages on a real PostgreSQL."""
