"""Refuses unsafe requests that another site caused (cross-site request forgery), before anything else is read."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from clay_push_service.errors import ForbiddenError

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def require_same_origin(request: Request) -> None:
    """Raises 403 `cross_site` for an unsafe request unless the browser reports that a page of this origin sent it."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_same = site == "same-origin"
    else:  # browsers send Sec-Fetch-Site only over https and on loopback
        origin = urlsplit(request.headers.get("origin", ""))
        is_same = origin.scheme in {"http", "https"} and origin.netloc == request.headers.get("host")
    if not is_same:
        raise ForbiddenError(
            "This request does not come from a page of this console, so nothing was changed. Open the console and repeat it there.",
            code="cross_site",
        )
