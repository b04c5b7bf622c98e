"""A request's body is read only after authentication, up to the route's size limit, and within the configured time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from clay_push_service.api.app import ROUTERS
from clay_push_service.callers.guarded_route import GuardedRoute
from tests.harness.api import Api, run_api
from tests.harness.settings import access_token

CONFIG = "/api/clay/config"
PUSH = "/api/clay/push"


@dataclass
class Sent:
    """A request whose body arrives in pieces of 10,000 bytes, without end or with `pieces` of them."""

    app: FastAPI
    pieces: int = 10_000
    read: int = 0
    answered: list[Mapping[str, object]] = field(default_factory=list)

    async def receive(self) -> dict[str, object]:
        if self.read == self.pieces:
            await asyncio.Event().wait()
        self.read += 1
        return {"type": "http.request", "body": b" " * 10_000, "more_body": True}

    async def send(self, message: Mapping[str, object]) -> None:
        self.answered.append(message)

    async def request(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
        """Send the request. Returns status and headers of the response."""
        given = {"content-type": "application/json", "transfer-encoding": "chunked"} | headers
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "server": ("test", 80),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()], "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await self.app(scope, self.receive, self.send)
        start = self.answered[0]
        found = start["headers"]
        assert isinstance(found, list)
        status = start["status"]
        assert isinstance(status, int)
        return status, {name.decode(): value.decode() for name, value in found}


def bearer(who: str) -> str:
    return f"Bearer {access_token(who)}"


async def test_the_body_of_an_unauthenticated_request_is_not_read(app_client: Api) -> None:
    for method, path in (("PUT", CONFIG), ("POST", PUSH), ("POST", "/nothing/here"), ("GET", "/healthz")):
        sent = Sent(app_client.app)
        status, headers = await sent.request(method, path)
        assert status == {PUSH: 401, CONFIG: 401, "/healthz": 200}.get(path, 404)
        assert sent.read == 0
        assert headers["connection"] == "close", (
            "the connection must close, because the rest of the body is not a request"
        )


async def test_the_body_of_an_unauthorized_caller_is_not_read(app_client: Api) -> None:
    sent = Sent(app_client.app)
    status, headers = await sent.request("PUT", CONFIG, authorization=bearer("member"))
    assert (status, sent.read, headers["connection"]) == (403, 0, "close")


async def test_a_body_without_a_length_is_read_up_to_the_size_limit_of_the_route(app_client: Api) -> None:
    settings = Sent(app_client.app)
    assert (await settings.request("PUT", CONFIG, authorization=bearer("owner")))[0] == 413
    assert settings.read == 2, "16 KB"
    push = Sent(app_client.app)
    assert (await push.request("POST", PUSH, authorization=bearer("owner")))[0] == 413
    assert push.read == 401, "4 MB"


async def test_a_declared_length_over_the_limit_is_refused_before_reading(
    app_client: Api,
) -> None:
    sent = Sent(app_client.app)
    headers = {"authorization": bearer("owner"), "content-length": "20000", "transfer-encoding": ""}
    assert (await sent.request("PUT", CONFIG, **headers))[0] == 413
    assert sent.read == 0


async def test_a_body_that_never_ends_times_out(database_url: str) -> None:
    async with run_api(database_url, body_timeout_seconds=0.2) as app:
        sent = Sent(app.app, pieces=1)
        status, headers = await sent.request("PUT", CONFIG, authorization=bearer("owner"))
        assert (status, headers["connection"]) == (408, "close")


async def test_permissions_are_checked_again_after_the_body_has_arrived(app_client: Api) -> None:
    """A body may take half a minute to arrive. The caller's permissions may end meanwhile."""
    sent = Sent(app_client.app)
    ended = asyncio.Event()
    reading = asyncio.Event()

    async def receive() -> dict[str, object]:
        reading.set()
        await ended.wait()
        return {"type": "http.request", "body": b'{"table_name": "a"}', "more_body": False}

    sent.receive = receive  # type: ignore[method-assign]  # this body has an end
    request = asyncio.create_task(sent.request("PUT", CONFIG, authorization=bearer("admin")))
    await asyncio.wait_for(reading.wait(), 60)
    await app_client.host.connection.execute("UPDATE users SET is_active = false WHERE username = 'admin'")
    ended.set()
    assert (await request)[0] == 401


@pytest.mark.parametrize(
    "route", [route for router in ROUTERS for route in router.routes], ids=lambda route: route.name
)
def test_every_route_with_a_body_authenticates_before_it_reads_the_body(route: APIRoute) -> None:
    assert route.body_field is None or isinstance(route, GuardedRoute)
