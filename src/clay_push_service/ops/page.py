"""Renders the `/status` page: self-contained, no scripts, every value escaped."""

import re
from datetime import datetime

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from clay_push_service.ops.models import Status

MINUTE, HOUR, DAY = 60, 3600, 86400
REFRESH_SECONDS = 10
_BACKTICKS = re.compile("`([^`]+)`")

TITLES = {
    "ok": "The service works",
    "degraded": "The service works and needs attention",
    "failing": "The service does not work",
}


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


def _since(moment: datetime, now: datetime) -> str:
    return age((now - moment).total_seconds())


def _mark_code(value: str) -> Markup:
    """Escapes the text and turns backticks into <code>."""
    return Markup(_BACKTICKS.sub(r"<code>\1</code>", str(escape(value))))  # noqa: S704 - the argument is escaped


_environment = Environment(loader=PackageLoader("clay_push_service.ops", "."), autoescape=True, trim_blocks=True)
_environment.filters["age"] = age
_environment.filters["clock_offset"] = clock_offset
_environment.filters["code"] = _mark_code
_environment.filters["since"] = _since
_environment.filters["number"] = lambda value: f"{value:,}"


def render(status: Status, now: datetime, refresh_seconds: int = REFRESH_SECONDS) -> str:
    """`refresh_seconds` 0 turns reloading off, which slow readers and screen readers need."""
    return _environment.get_template("status.html").render(
        status=status, title=TITLES[status.status], now=now, refresh_seconds=refresh_seconds,
        usual_seconds=REFRESH_SECONDS,
    )  # fmt: skip
