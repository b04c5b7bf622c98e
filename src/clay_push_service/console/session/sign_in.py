"""Renders the sign-in page. It has a secret in a cookie of its own, because form tokens need one before there is a session."""

import secrets

from starlette.requests import Request
from starlette.responses import Response

from clay_push_service.console.pages.page import html_response
from clay_push_service.console.session.cookies import SIGN_IN, SIGN_IN_SECONDS, read_cookie, set_cookie
from clay_push_service.console.session.form_token import make_form_token


def sign_in_page(request: Request, reason: str | None, *, status: int = 200) -> Response:
    """`reason`: why the user sees it instead of the page that was requested."""
    secret = read_cookie(request, SIGN_IN) or secrets.token_urlsafe(32)
    response = html_response(
        request, "sign_in.html", status, reason=reason, form_token=make_form_token(secret), next=requested_path(request)
    )
    set_cookie(request, response, SIGN_IN, secret, SIGN_IN_SECONDS)
    return response


def requested_path(request: Request) -> str:
    """Returns the path to open after signing in: the requested page, if a GET shows it."""
    path = request.url.path
    is_page = request.method in {"GET", "HEAD"} and not path.startswith("/console/sign-in")
    if not is_page:
        return "/console/"
    return f"{path}?{request.url.query}" if request.url.query else path


def local_path(address: str) -> str:
    """Returns the path of this console to open after a form. Any other address, such as `//elsewhere.example`, becomes `/console/`."""
    is_ours = address.startswith("/console/") and "\\" not in address and address.isprintable() and "//" not in address
    return address if is_ours else "/console/"
