"""Answers a refusal as 200 with `status` and `message`: NexusLeads' page shows these two, and "Request failed" for the rest.

For the test button only. Where the page shows an error's `detail` (a push), or would report success for any 200 (saving
the URL), a refusal stays a problem document with its own status.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.errors import ClayPushError
from clay_push_service.host_integration.frontend.schemas import FrontendTest

NOT_OF_THE_PAGE: Final = frozenset(
    {"not_a_member", "organization_required", "organization_invalid", "organization_forbidden", "scope_required"}
)
"""Refusals of the caller, not of what the button does. With 401, which makes the page renew its token, they stay as they are."""
UNAUTHORIZED: Final = 401


class PageRoute(GuardedRoute):
    """A route whose endpoint and dependencies hold no transaction of the request: a caught error would commit it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except ClayPushError as error:
                if error.status == UNAUTHORIZED or error.code in NOT_OF_THE_PAGE:
                    raise
                return JSONResponse(FrontendTest(status="error", message=error.detail).model_dump())

        return answered
