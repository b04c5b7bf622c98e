"""The filters and the payload: pure, so tested without a database."""
