"""A fixed moment for tests of code that takes the time as an argument."""

from datetime import UTC, datetime

NOW = datetime(2026, 2, 11, 12, 0, 0, tzinfo=UTC)
