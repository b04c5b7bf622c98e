"""Results that Clay's tables send back: tokens, the public endpoint, matching, application and quarantine."""
