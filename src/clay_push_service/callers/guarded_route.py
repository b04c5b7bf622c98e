"""Route class for authenticated routes: authenticates, waits for a concurrency slot, and only then reads the body.

FastAPI reads and parses the body before it runs dependencies, so unauthenticated clients could fill its memory.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from clay_push_service.callers.dependencies import Authorize
from clay_push_service.callers.request_body import with_body
from clay_push_service.callers.strict_query import ignore_unknown_parameters, require_known_parameters
from clay_push_service.callers.turns import Lane, Turns
from clay_push_service.settings import Settings


class BodySize(Enum):
    """The largest body of a route, in bytes; SETTING means CLAY_PUSH_MAX_BODY_BYTES."""

    SMALL = 16_384
    """Settings, rule changes, the id of a scan."""
    LISTS = 1_500_000
    """Lists of words or leads: eight filter lists of 500 words of 255 characters each."""
    SETTING = 0
    """50,000 ids."""

    def bytes(self, settings: Settings) -> int:
        return min(self.value or settings.max_body_bytes, settings.max_body_bytes)


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """Limits of a route, given among its `dependencies` as `Depends(RouteLimits(…))`: body size and concurrency lane."""

    body: BodySize = BodySize.SMALL
    lane: Lane | Callable[[Request], Lane] | None = Lane.ORDINARY
    """A function where the request determines the lane. None: the endpoint limits itself."""

    async def __call__(self) -> None:
        """Do nothing: the route reads this object."""


class GuardedRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        calls = list(calls_of(self.dependant))
        authorize = next((call for call in calls if isinstance(call, Authorize)), None)
        limits = next((call for call in calls if isinstance(call, RouteLimits)), RouteLimits())
        if authorize is None:
            raise TypeError(f"{self.path} has no authenticated caller, so it must not be a guarded route")
        takes_any_parameter = ignore_unknown_parameters in calls
        has_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            caller = await authorize.admit(request)
            if not takes_any_parameter:
                require_known_parameters(request)
            lane = limits.lane if limits.lane is None or isinstance(limits.lane, Lane) else limits.lane(request)
            if lane is not None:
                turns: Turns = request.app.state.turns
                answered: AsyncExitStack = request.scope[
                    "fastapi_inner_astack"
                ]  # FastAPI closes it after the response was sent
                if await answered.enter_async_context(turns.turn(lane, caller.org_id)):
                    authorize.discard_admission(request)
            if has_body:
                settings: Settings = request.app.state.settings
                request = await with_body(request, limits.body.bytes(settings), settings.body_timeout_seconds)
                authorize.discard_admission(request)
            return await handle(request)

        return guarded


def calls_of(dependant: Dependant) -> Iterator[object]:
    """Yield all direct and indirect dependencies of a route."""
    for each in dependant.dependencies:
        yield each.call
        yield from calls_of(each)
