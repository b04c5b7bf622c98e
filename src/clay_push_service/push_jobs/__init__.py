"""Many leads, one request: accept, drain, finish, retry, cancel, progress."""
