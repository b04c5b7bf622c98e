"""Titles, ages and clock offsets of the `/status` page. Pure. The console renders the page, in the frame of its own pages."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from fastapi import Request, Response

from clay_push_service.ops.models import Status

MINUTE, HOUR, DAY = 60, 3600, 86400
REFRESH_SECONDS = 10

TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ok": "The service works",
        "degraded": "The service works and needs attention",
        "failing": "The service does not work",
    }
)


class RenderStatus(Protocol):
    """Renders the page; the application sets it as `state.render_status`, because the console is above this package.

    `refresh_seconds` 0 turns reloading off, which slow readers and screen readers need.
    """

    def __call__(
        self, request: Request, status: Status, now: datetime, *, refresh_seconds: int, code: int
    ) -> Response: ...


def age(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two_units(whole // MINUTE, "min", whole % MINUTE, "s")
    if whole < DAY:
        return _two_units(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two_units(whole // DAY, "d", whole % DAY // HOUR, "h")


def _two_units(number: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{number} {unit} {rest} {rest_unit}" if rest else f"{number} {unit}"


def clock_offset(seconds: float | None) -> str:
    """`+0.4 s`, `-12.0 s`; `0.0 s` also for a small negative offset, which would be shown as -0.0."""
    if seconds is None:
        return "–"
    rounded = round(seconds, 1)
    return f"{rounded:+.1f} s" if rounded else "0.0 s"


def since(moment: datetime, now: datetime) -> str:
    return age((now - moment).total_seconds())
