"""Push requests: select and accept leads, preview, retry, cancel, and report progress."""
