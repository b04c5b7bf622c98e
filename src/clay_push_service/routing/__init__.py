"""Decides, in addition to a request's own filters, which leads may go where: exclusions, segments and routes."""
