"""The sending side of the worker: sends claimed deliveries at the destination's pace and records their outcomes."""
