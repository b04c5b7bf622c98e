"""Serves the HTTP application to a browser, from this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from clay_push_service.api.app import end_streams
from clay_push_service.database.database import Database
from clay_push_service.push_jobs.live.watch import Watch
from tests.harness.api import Api, run_api_with_leads
from tests.support.programs import free_port
from tests.support.receiver import Receiver

UNREACHABLE = "postgresql://nobody:nothing@127.0.0.1:1/none"


class _Server(uvicorn.Server):
    """A uvicorn server that does not handle signals (pytest does), and closes open event streams as `serve` does."""

    async def shutdown(self, sockets: object = None) -> None:
        del sockets
        end_streams(self.config.app)  # type: ignore[arg-type]  # always our application
        await super().shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class ConsoleServer:
    api: Api
    port: int
    _server: _Server | None = None
    _running: "asyncio.Task[None] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def gated(self) -> AsyncIterator[None]:
        """Billing is on and the organization is not on the Enterprise plan."""
        state = self.api.app.state
        before = state.settings
        state.settings = before.model_copy(
            update={"billing_enabled": True, "upgrade_url": "https://nexusleads.example/upgrade"}
        )
        await self.api.host.connection.execute(
            "DO $$ BEGIN IF to_regclass('org_billing') IS NOT NULL THEN DELETE FROM org_billing; END IF; END $$"
        )
        try:
            yield
        finally:
            state.settings = before

    @asynccontextmanager
    async def without_database(self) -> AsyncIterator[None]:
        """The application cannot connect to its database."""
        state = self.api.app.state
        before, state.database = state.database, Database(UNREACHABLE, pool_size=1)
        try:
            yield
        finally:
            await state.database.close()
            state.database = before

    async def start(self) -> None:
        config = uvicorn.Config(
            self.api.app, host="127.0.0.1", port=self.port, lifespan="off", ws="none", log_config=None, access_log=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        self._server = _Server(config)
        self._running = asyncio.create_task(self._server.serve())
        async with asyncio.timeout(60):
            while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        assert self._server is not None
        assert self._running is not None
        self._server.should_exit = True
        await self._running

    async def restart(self) -> None:
        """Stop and start the server on the same port. Open streams end, and connections are refused in between."""
        await self.stop()
        watch: Watch = self.api.app.state.watch
        watch.stopping.clear()
        await self.start()


@asynccontextmanager
async def serve_console(
    database_url: str, *, leads: int = 5, receiver: Receiver | None = None, rate_limit_ms: int = 0
) -> AsyncIterator[ConsoleServer]:
    """Serve an installation with a project, leads and a webhook, and no push."""
    async with run_api_with_leads(database_url, leads=leads, receiver=receiver, rate_limit_ms=rate_limit_ms) as api:
        made = ConsoleServer(api, free_port())
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
