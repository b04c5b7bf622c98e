"""Retention, erasure with receipts, and the audit log."""
