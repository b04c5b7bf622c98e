"""A fixed moment for tests of the pace, and durations from it."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 2, 11, tzinfo=UTC)


def ms(milliseconds: float) -> timedelta:
    return timedelta(milliseconds=milliseconds)
