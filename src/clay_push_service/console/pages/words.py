"""Formats numbers, times and durations for pages. Pure; times are shown in UTC with their zone."""

from datetime import UTC, datetime
from typing import Final

import orjson

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
MOST_UNITS: Final = 2


def number(value: float) -> str:
    """`12,345`; a fraction keeps one decimal."""
    return f"{value:,}" if float(value).is_integer() and isinstance(value, int) else f"{value:,.1f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 lead`, `1,200 leads`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def moment(value: datetime) -> str:
    """`30 Nov 2026, 14:05 UTC`."""
    found = value.astimezone(UTC)
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def day(value: datetime) -> str:
    """`30 Nov 2026`."""
    found = value.astimezone(UTC)
    return f"{found.day} {found:%b %Y}"


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; never negative."""
    seconds_left = max(round(seconds), 0)
    parts: list[str] = []
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", 1)):
        count, seconds_left = divmod(seconds_left, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == MOST_UNITS:
            break
    return " ".join(parts)


def ago(value: datetime, now: datetime) -> str:
    """`3 min ago`, in the largest unit. Both are times of the database's clock."""
    seconds = (now - value).total_seconds()
    return "now" if seconds < 1 else f"{_largest(seconds)} ago"


def _largest(seconds: float) -> str:
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{round(seconds)} s"


def json_text(value: object) -> str:
    """A value of a payload as JSON; whole numbers keep all their digits."""
    return orjson.dumps(value).decode()


def actor(name: str | None) -> str:
    """`user:alice` → `alice`; a key keeps the word: `key ab12cd34 (nightly)`."""
    kind, _, rest = (name or "").partition(":")
    if not name:
        return "–"
    if kind == "user" and rest:
        return rest
    return f"{kind} {rest}" if rest else name
