"""Integration with NexusLeads: its frontend endpoints, its job rows, and the pushes that it queues."""
