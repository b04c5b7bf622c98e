"""Live progress of a push job as server-sent events."""
