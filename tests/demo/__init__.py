"""The miniature NexusLeads of the demo."""
