"""What decides, beside a request's own filters, which leads may go where: exclusions."""
