"""Library internals that the code uses because no public hook exists. A test fails if a library changes one.

Each library has an upper bound in pyproject.toml. Before raising a bound, run these tests with the new version.
"""

import asyncio
import inspect
import re
import tomllib
from pathlib import Path

import asyncpg
import h11
import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from procrastinate.psycopg_connector import PsycopgConnector
from psycopg_pool import AsyncConnectionPool
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from clay_push_service.database.database import Database

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "clay_push_service"
ALLOWED = {("database/drivers.py", "connection._transport")}
"""Private attributes of libraries, by file."""
OTHERS = {
    ("local_database/postgres.py", "server._durable"),
    ("deliveries/destination_health.py", "health._after_one"),
    ("worker/watchdog.py", "os._exit"),
}
"""Private attributes of the module's own classes, and public functions of the standard library."""
PRIVATE = re.compile(r"\b(?!self\b|cls\b)(\w+)\._(?!make\b|replace\b|asdict\b|fields\b)([a-z]\w*)")
"""Returns private attributes, except the documented methods of named tuples."""


def test_no_other_private_attribute_of_a_library_is_used() -> None:
    found = {
        (str(path.relative_to(SOURCES)), each[0])
        for path in SOURCES.rglob("*.py")
        for line in path.read_text().splitlines()
        for each in PRIVATE.finditer(line.partition("#")[0])
    }
    assert found - OTHERS == ALLOWED
    assert not [path for path in SOURCES.rglob("*.py") if re.search(r"super\(\)\._[a-z]", path.read_text())]


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "asyncpg", "procrastinate"])
def test_libraries_with_used_internals_have_an_upper_bound(library: str) -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    [requirement] = [each for each in dependencies if re.match(rf"{library}\b", each)]
    assert "<" in requirement or "==" in requirement


async def test_asyncpg_has_the_transport_of_a_connection(database: Database) -> None:
    """`drivers` sets TCP keepalive options on the socket of the connection."""
    async with database.driver() as connection:
        assert isinstance(connection, asyncpg.Connection)
        transport = connection._transport  # type: ignore[attr-defined]
        assert transport.get_extra_info("socket").fileno() >= 0


async def test_uvicorns_protocol_has_what_api_connections_reads() -> None:
    protocol = H11Protocol(Config(FastAPI(), log_config=None), ServerState(), {}, asyncio.get_running_loop())
    assert vars(protocol)["cycle"] is None
    assert protocol.conn.their_state is h11.IDLE
    assert list(inspect.signature(H11Protocol.handle_events).parameters) == ["self"]
    assert list(inspect.signature(H11Protocol.on_response_complete).parameters) == ["self"]


async def test_fastapi_leaves_its_inner_exit_stack_after_the_response_and_lists_dependants() -> None:
    """`guarded_route` frees a place after the response is sent, and searches the dependencies of a route."""
    app, steps = FastAPI(), list[str]()

    @app.get("/", dependencies=[Depends(lambda: None)])
    def endpoint(request: Request) -> str:
        request.scope["fastapi_inner_astack"].callback(steps.append, "left")
        steps.append("handled")
        return "body"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/")).json() == "body"
    assert steps == ["handled", "left"]
    assert {"dependencies", "call", "query_params", "header_params"} <= set(inspect.signature(Dependant).parameters)


def test_procrastinates_connector_takes_a_pool_factory_and_has_the_overridden_methods() -> None:
    assert "pool_factory" in inspect.signature(PsycopgConnector).parameters
    assert list(inspect.signature(PsycopgConnector.listen_notify).parameters) == ["self", "on_notification", "channels"]
    assert list(inspect.signature(PsycopgConnector.execute_query_one_async).parameters)[:2] == ["self", "query"]
    assert list(inspect.signature(AsyncConnectionPool.connection).parameters) == ["self", "timeout"]
    assert {"check", "configure", "kwargs"} <= set(inspect.signature(AsyncConnectionPool).parameters)
