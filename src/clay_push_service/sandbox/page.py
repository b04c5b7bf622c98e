"""Serves the sandbox's table as a web page, with a content security policy against scripts in lead data."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[web.RouteDef]:
    return [
        web.get("/", _file("page.html", "text/html")),
        web.get("/sandbox/page.css", _file("page.css", "text/css")),
        web.get("/sandbox/page.js", _file("page.js", "text/javascript")),
        web.get("/healthz", _healthy),
    ]


def _file(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    text = files("clay_push_service.sandbox").joinpath(name).read_text("utf-8")

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=HEADERS)

    return answer


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok")
