"""Reads which of two media types an Accept header prefers. Pure."""

from typing import Final

CSV: Final = "text/csv"
JSON: Final = "application/json"


def prefers_csv(accept: str) -> bool:
    """Whether CSV is preferred over JSON; false for equal preference and if neither is accepted."""
    return _quality(accept, CSV) > _quality(accept, JSON)


def _quality(accept: str, media_type: str) -> float:
    """0 to 1, of the most specific range that covers the type (RFC 9110, 12.5.1)."""
    ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    found: dict[str, float] = {}
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        found[name] = min((_number(part[2:]) for part in parameters if part.startswith("q=")), default=1.0)
    return next((found[name] for name in ranges if name in found), 0.0)


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
