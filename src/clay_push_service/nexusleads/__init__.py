"""What NexusLeads sees of us, above everything else: its frontend's endpoints, its job rows, what it queues itself."""
