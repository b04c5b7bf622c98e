"""Records the values that this service wrote into columns of NexusLeads, and which organizations have switched it on."""
