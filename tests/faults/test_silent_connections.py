"""Connections to PostgreSQL fail silently: a NAT drops them, or the server is unreachable. No operation hangs.

The time limits are wide for a loaded machine. Before the fix, each of these operations took 67 s or never ended.
"""

import asyncio
import contextlib
import gc
import signal
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from clay_push_service import queue
from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.database import pool_guard
from tests.harness.installation import Installation, install
from tests.harness.shell import command_environment, start
from tests.support.programs import free_port
from tests.support.proxy import Proxy, proxying


@pytest.fixture(scope="module", autouse=True)
def abandoned_connections() -> Iterator[None]:
    """Collect abandoned connections here, so that their sockets are not closed during a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


POOL = 4
LISTENING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'clay-push-listen' AND datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class Behind:
    """The application reaches PostgreSQL through the proxy; the test connects directly."""

    installation: Installation
    proxy: Proxy
    http: httpx.AsyncClient

    async def ask(self, path: str = "/api/clay/status") -> int:
        return (await self.http.get(path)).status_code

    async def ask_at_once(self) -> set[int]:
        return set(await asyncio.gather(*(self.ask() for _ in range(2 * POOL))))

    async def listener(self, *, other_than: int = 0) -> int:
        async with asyncio.timeout(60):
            while True:
                for row in await self.installation.fetch(LISTENING):
                    if row.pid != other_than:
                        return int(row.pid)
                await asyncio.sleep(0.05)


def through(database_url: str, proxy: Proxy) -> str:
    return make_url(database_url).set(port=proxy.port).render_as_string(hide_password=False)


@pytest.fixture
async def behind(database_url: str) -> AsyncIterator[Behind]:
    async with proxying(make_url(database_url).port or 5432) as proxy, install(database_url, leads=1) as w:
        async with w.database.transaction() as connection:
            key = await create_key(connection, "test", [w.org_id], {Scope.READ}, "test")
        theirs = {"database_url": through(database_url, proxy), "database_pool_size": POOL}
        app = create_app(w.settings.model_copy(update=theirs))
        headers = {"Authorization": f"Bearer {key.plain}", "X-Org-Id": str(w.org_id)}
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as http,
        ):
            made = Behind(w, proxy, http)
            assert await made.ask_at_once() == {200}
            yield made
            proxy.heal()


async def test_requests_succeed_although_all_idle_connections_were_dropped(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_guard, "IDLE_SECONDS", 0.0)
    assert behind.proxy.drop_all() >= POOL
    async with asyncio.timeout(30):
        assert [await behind.ask() for _ in range(POOL)] == [200] * POOL
        assert await behind.ask("/readyz") == 200


async def test_one_timeout_closes_all_pooled_connections(behind: Behind, capsys: pytest.CaptureFixture[str]) -> None:
    """The pool does not check connections that were used a moment ago. The first statement times out; the next ones must not."""
    behind.proxy.drop_all()
    async with asyncio.timeout(30):
        assert await behind.ask() in {200, 503}
        assert [await behind.ask() for _ in range(POOL)] == [200] * POOL
    assert capsys.readouterr().out.count("database.pool_emptied") == 1


async def test_requests_get_503_soon_after_a_partition_and_200_after_it_ends(behind: Behind) -> None:
    behind.proxy.partition()
    async with asyncio.timeout(60):
        assert await behind.ask("/readyz") == 503
        assert await behind.ask_at_once() == {503}
        assert await behind.ask_at_once() == {503}
        assert await behind.ask("/readyz") == 503
    behind.proxy.heal()
    async with asyncio.timeout(30):
        while await behind.ask("/readyz") != 200:  # noqa: ASYNC110 - what is under way ends first
            await asyncio.sleep(0.1)
        assert await behind.ask_at_once() == {200}


async def test_a_silent_listen_connection_is_replaced(behind: Behind) -> None:
    before = await behind.listener()
    behind.proxy.drop_all()
    assert await behind.listener(other_than=before)


@asynccontextmanager
async def queue_behind(database_url: str) -> AsyncIterator[tuple[queue.Connector, Proxy]]:
    async with proxying(make_url(database_url).port or 5432) as proxy:
        connector = queue.Connector(through(database_url, proxy), lambda: None)
        await connector.open_async()
        try:
            yield connector, proxy
        finally:
            proxy.heal()
            await connector.close_async()


async def test_the_queue_does_not_use_a_dropped_connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "STATEMENT_SECONDS", 0.5)
    async with queue_behind(database_url) as (connector, proxy), asyncio.timeout(30):
        assert await connector.execute_query_one_async("SELECT 1 AS one") == {"one": 1}
        proxy.drop_all()
        assert await connector.execute_query_one_async("SELECT 1 AS one") == {"one": 1}


async def test_the_listen_connection_of_the_queue_is_replaced_when_it_is_silent(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(queue, "LISTEN_CHECK_SECONDS", 0.2)
    notified = asyncio.Event()

    async def on_notification(*, channel: str, payload: str) -> None:
        del channel, payload
        notified.set()

    async def until_heard(connector: queue.Connector) -> None:
        notified.clear()
        while not notified.is_set():
            await connector.execute_query_async("SELECT pg_notify('test', 'word')")
            await asyncio.sleep(0.1)

    async with queue_behind(database_url) as (connector, proxy), asyncio.timeout(60):
        listening = asyncio.create_task(connector.listen_notify(on_notification, ["test"]))
        await until_heard(connector)
        proxy.drop_all()
        await until_heard(connector)
        listening.cancel()
        await asyncio.wait([listening])


async def test_serve_and_its_worker_stop_although_the_database_is_unreachable(
    database_url: str, tmp_path: Path
) -> None:
    async with proxying(make_url(database_url).port or 5432) as proxy, install(database_url, leads=1) as w:
        port = free_port()
        theirs = w.settings.model_copy(update={"database_url": through(database_url, proxy)})
        env = command_environment(theirs) | {"CLAY_PUSH_PORT": str(port), "CLAY_PUSH_WATCHDOG_SECONDS": "600"}
        process = await start(tmp_path, "serve", "--with-worker", env=env)
        reading = asyncio.create_task(process.communicate())
        try:
            async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
                while not await w.fetch("SELECT 1 FROM clay.workers"):  # noqa: ASYNC110 - another process has no event
                    await asyncio.sleep(0.05)
                proxy.partition()
                request = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/readyz", timeout=60))
                await asyncio.sleep(0)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(40):
                await process.wait()
            request.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                await request
        finally:
            if process.returncode is None:
                process.kill()
            await reading
            proxy.heal()
