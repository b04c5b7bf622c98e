"""The HTTP application on a port of this machine, in this process, for a browser."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from clay_push_service.api.app import end_streams
from tests.harness.api import Api, run_api_with_leads
from tests.support.programs import free_port
from tests.support.receiver import Receiver


class _Server(uvicorn.Server):
    """Leaves signals to pytest, and ends open streams as `serve` does."""

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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def gated(self) -> AsyncIterator[None]:
        """With billing, and the organization not on the Enterprise plan."""
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
    async def serving(self) -> AsyncIterator[None]:
        """Answer on the port; a test leaves the block and enters it again to restart the server."""
        config = uvicorn.Config(
            self.api.app, host="127.0.0.1", port=self.port, lifespan="off", ws="none", log_config=None, access_log=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = _Server(config)
        running = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        try:
            yield
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def serve_console(
    database_url: str, *, leads: int = 5, receiver: Receiver | None = None, rate_limit_ms: int = 0
) -> AsyncIterator[ConsoleServer]:
    """With a project of leads, a webhook and no push yet."""
    async with run_api_with_leads(database_url, leads=leads, receiver=receiver, rate_limit_ms=rate_limit_ms) as api:
        made = ConsoleServer(api, free_port())
        async with made.serving():
            yield made
