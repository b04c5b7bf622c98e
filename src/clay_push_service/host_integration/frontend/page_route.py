"""Turns a refusal into 200 with `status` and `message`, which NexusLeads' page shows; it shows "Request failed" for other statuses.

Used for the test button only. For a push the page shows an error's `detail`, and when saving the URL it reports success for any
200; there a refusal stays a problem document with its own status.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.errors import ClayPushError
from clay_push_service.host_integration.frontend.schemas import FrontendTest

CALLER_REFUSALS: Final = frozenset(
    {"not_a_member", "organization_required", "organization_invalid", "organization_forbidden", "scope_required"}
)
"""Refusals of the caller, not of the test. These stay problem documents, as does 401, which makes the page renew its token."""
UNAUTHORIZED: Final = 401


class PageRoute(GuardedRoute):
    """Only for endpoints without a transaction of the request: catching the error would commit it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_refusal(request: Request) -> Response:
            try:
                return await handle(request)
            except ClayPushError as error:
                if error.status == UNAUTHORIZED or error.code in CALLER_REFUSALS:
                    raise
                return JSONResponse(FrontendTest(status="error", message=error.detail).model_dump())

        return handle_refusal
