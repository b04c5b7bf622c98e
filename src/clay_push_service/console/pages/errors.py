"""Error pages: every problem of a console request as a page in the frame, with what happened and the next step. Reads no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from clay_push_service.console.pages.page import html_response
from clay_push_service.console.session.authorize import end_of
from clay_push_service.console.session.cookies import PATH, SESSION, delete_cookie
from clay_push_service.console.session.origin import SAFE_METHODS
from clay_push_service.console.session.sign_in import sign_in_page
from clay_push_service.errors import ClayPushError

SESSION_REQUIRED: Final = "session_required"


@dataclass(frozen=True, slots=True)
class NextStep:
    text: str
    label: str
    href: str
    """Empty: the page itself, to try again. A form has no page of its own: see `after_form`."""


AGAIN: Final = NextStep("Nothing was changed. Try again in a few seconds.", "Try again", "")
REPEAT: Final = NextStep(
    "Nothing was changed. Go back in the browser, and repeat the action in a few seconds.", "Open the console", PATH
)
START: Final = NextStep("Check the address, or start from the list of jobs.", "Open the jobs", "/console/jobs")
BY_CODE: Final[Mapping[str, NextStep]] = MappingProxyType(
    {
        "cross_site": NextStep("Open the console and repeat the action there.", "Open the console", PATH),
        "form_token_invalid": NextStep("Go back, reload the page, and repeat the action.", "Open the console", PATH),
        "enterprise_required": NextStep("Your data is kept, and counts are still shown.", "Open the jobs", "/console/jobs"),
        "clay_not_configured": NextStep("An owner or admin can save the webhook URL.", "Open Integrations", "/console/integrations"),
        "destination_closed": NextStep("An owner or admin can repair the connection.", "Open Integrations", "/console/integrations"),
        "role_required": NextStep("Ask an owner or admin of your organization.", "Open the jobs", "/console/jobs"),
    }
)  # fmt: skip
BY_STATUS: Final[Mapping[int, NextStep]] = MappingProxyType(
    {
        400: START,
        403: NextStep("Ask an owner of your organization for the permission.", "Open the jobs", "/console/jobs"),
        404: START,
        429: AGAIN,
        500: NextStep("Report it to the NexusLeads operator with the request id below.", "Try again", ""),
        503: AGAIN,
    }
)
OTHER: Final = NextStep("Go back and correct it.", "Open the jobs", "/console/jobs")
TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {
        403: "Not allowed",
        404: "Not found",
        429: "Too many requests",
        500: "Something went wrong",
        503: "Not available now",
    }
)


def after_form(step: NextStep) -> NextStep:
    """The step after a form: its address shows nothing, so a link to it would be a second error."""
    return REPEAT if step is AGAIN else NextStep(step.text, REPEAT.label, REPEAT.href)


def is_console(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(PATH)


def error_page(request: Request, problem: ClayPushError, headers: Mapping[str, str]) -> Response:
    """`headers`: of the problem, such as Retry-After."""
    is_htmx = request.headers.get("hx-request") == "true"
    if problem.code == SESSION_REQUIRED:
        response = Response(status_code=401) if is_htmx else sign_in_page(request, problem.detail, status=401)
        if is_htmx:
            response.headers["HX-Refresh"] = "true"  # the whole page becomes the sign-in page
        delete_cookie(request, response, SESSION)
        response.background = end_of(request)
        return response
    step = BY_CODE.get(problem.code) or BY_STATUS.get(problem.status, OTHER)
    if not step.href and request.method not in SAFE_METHODS:
        step = after_form(step)
    response = html_response(
        request,
        "error_fragment.html" if is_htmx else "error.html",
        problem.status,
        problem=problem,
        step=step,
        title=TITLES.get(problem.status, "This cannot be done now"),
        request_id=request.scope.get("state", {}).get("request_id"),
    )
    if is_htmx:
        response.headers["HX-Retarget"] = "#messages"
        response.headers["HX-Reswap"] = "innerHTML"
    for name, value in headers.items():
        response.headers[name] = value
    return response
