"""Route class of the console: refuses forged requests before anything is read, and requires a checked form on unsafe routes."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from clay_push_service.callers.guarded_route import GuardedRoute, calls_of
from clay_push_service.console.session.form import read_form
from clay_push_service.console.session.origin import SAFE_METHODS, require_same_origin

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class SignInRoute(APIRoute):
    """Route class of the pages that need no session."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        _require_form(self)

        async def handle_page(request: Request) -> Response:
            require_same_origin(request)
            return await handle(request)

        return handle_page


class ConsoleRoute(GuardedRoute):
    """Route class for signed-in users: authenticates, waits for a concurrency slot, and then reads the form."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        _require_form(self)

        async def handle_page(request: Request) -> Response:
            require_same_origin(request)
            return await handle(request)

        return handle_page


def _require_form(route: APIRoute) -> None:
    if not SAFE_METHODS.issuperset(route.methods or ()) and read_form not in calls_of(route.dependant):
        raise TypeError(f"{route.path} changes something and does not check its form: add a parameter `form: Posted`")
