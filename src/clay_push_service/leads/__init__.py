"""Lead filters and the payload that Clay receives of a lead."""
