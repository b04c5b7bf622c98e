"""Renders `/status` for on-call engineers in the frame of the console. Reads no database: the page also works without one."""

import re
from datetime import datetime
from types import MappingProxyType
from typing import Final

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from clay_push_service.console.pages.page import html_response
from clay_push_service.ops.models import Status
from clay_push_service.ops.page import REFRESH_SECONDS, TITLES, age, clock_offset, since

SIGNS: Final = MappingProxyType({"ok": "●", "degraded": "▲", "failing": "■"})
"""Signs for each level, shown in the title of the browser's tab."""
TONES: Final = MappingProxyType({"ok": "good", "degraded": "wait", "failing": "bad"})
_BACKTICKS: Final = re.compile("`([^`]+)`")


def render_status_page(request: Request, status: Status, now: datetime, *, refresh_seconds: int, code: int) -> Response:
    return html_response(
        request,
        "status.html",
        code,
        status=status,
        title=TITLES[status.status],
        sign=SIGNS[status.status],
        tones=TONES,
        now=now,
        refresh_seconds=refresh_seconds,
        usual_seconds=REFRESH_SECONDS,
        age=age,
        since=since,
        clock_offset=clock_offset,
        mark_code=mark_code,
    )


def mark_code(value: str) -> Markup:
    """Escapes the text and turns backticks into <code>."""
    return Markup(_BACKTICKS.sub(r"<code>\1</code>", str(escape(value))))  # noqa: S704 - the argument is escaped
