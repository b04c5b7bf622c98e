"""`/status` as a page: self-contained, without scripts, legible at 3 a.m.; everything in it is escaped."""

import re
from datetime import datetime

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from clay_push_service.ops.models import Status

MINUTE, HOUR, DAY = 60, 3600, 86400
REFRESH_SECONDS = 10
_BACKTICKS = re.compile("`([^`]+)`")

TITLES = {"ok": "All is well", "degraded": "It works, and needs a look", "failing": "It cannot do its work"}


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
        return _two(whole // MINUTE, "min", whole % MINUTE, "s")
    if whole < DAY:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two(whole // DAY, "d", whole % DAY // HOUR, "h")


def _two(number: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{number} {unit} {rest} {rest_unit}" if rest else f"{number} {unit}"


def _since(moment: datetime, now: datetime) -> str:
    return age((now - moment).total_seconds())


def _code(said: str) -> Markup:
    """Escaped, and what stands between backticks set as code."""
    return Markup(_BACKTICKS.sub(r"<code>\1</code>", str(escape(said))))  # noqa: S704 - escaped just now


_environment = Environment(loader=PackageLoader("clay_push_service.ops", "."), autoescape=True, trim_blocks=True)
_environment.filters["age"] = age
_environment.filters["code"] = _code
_environment.filters["since"] = _since
_environment.filters["number"] = lambda value: f"{value:,}"


def render(status: Status, now: datetime, refresh_seconds: int = REFRESH_SECONDS) -> str:
    """0: it stands still, for whoever reads it slowly or has it read aloud."""
    return _environment.get_template("status.html").render(
        status=status, title=TITLES[status.status], now=now, refresh_seconds=refresh_seconds,
        usual_seconds=REFRESH_SECONDS,
    )  # fmt: skip
