"""Distinguishes webhook URLs from addresses of Clay's web pages when a URL is saved; sending does not use it. Pure."""

import re
from enum import Enum, auto

from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy, check_url

PAGE_REMEDY = "This is the address of a page. Copy the webhook URL from the table's webhook source"
CLAY = "clay.com"
PAGE_HOSTS = frozenset(
    f"{name}.{CLAY}"
    for name in (
        "academy", "app", "apps", "blog", "careers", "changelog", "community", "docs", "experts", "feedback", "go", "help",
        "info", "jobs", "learn", "partners", "pages", "status", "support", "university", "www",
    )
) | {CLAY}  # fmt: skip
"""Clay's sites for people. Its webhooks are at api.clay.com (its documentation)."""

_PAGE_PATH = re.compile(r"/(?:workspaces|tables|workbooks|login|signup|settings)(?:/|\Z)", re.IGNORECASE)
_WEBHOOK_PATH = re.compile(r"(?:/[^/]+)*/sources/webhook/[^/]+/?", re.IGNORECASE)
"""Clay does not guarantee the rest, so nothing more is required."""


class Form(Enum):
    WEBHOOK = auto()
    PAGE = auto()
    OTHER = auto()
    """Neither of the two; on an allowed host it is saved with a warning."""


class PageError(BlockedError):
    """The address of one of Clay's pages."""

    def __init__(self) -> None:
        super().__init__("page_address", PAGE_REMEDY)
        self.detail = PAGE_REMEDY


def form_of(checked: CheckedUrl) -> Form:
    path = checked.url.path
    if _WEBHOOK_PATH.fullmatch(path):
        return Form.WEBHOOK
    is_clay_host = checked.host == CLAY or checked.host.endswith(f".{CLAY}")
    if checked.host in PAGE_HOSTS or (is_clay_host and _PAGE_PATH.match(path)):
        return Form.PAGE
    return Form.OTHER


def check_new_url(url: str, policy: Policy, stored: str | None = None) -> CheckedUrl:
    """`check_url` for a URL that is to be saved. The address of a page that is stored already remains valid.

    Raises BlockedError, or its subclass PageError.
    """
    checked = check_url(url, policy)
    if form_of(checked) is Form.PAGE and str(checked.url) != stored:
        raise PageError
    return checked
