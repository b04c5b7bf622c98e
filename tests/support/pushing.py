"""The HTTP application with a project of a few leads and a local webhook receiver; `drain` takes the place of the worker."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from clay_push_service.host.columns import Vintage
from tests.support.nexusleads import MiniatureHost
from tests.support.receiver import Receiver
from tests.support.vintages import Connected, connected_app


@dataclass(frozen=True, slots=True)
class Pushing:
    connected: Connected
    project_id: UUID
    lead_ids: Sequence[UUID]

    @property
    def host(self) -> MiniatureHost:
        return self.connected.app.host

    def name(self, word: str) -> str:
        """The host's name of a table or column of ours."""
        return self.host.name(word)

    @property
    def database(self) -> asyncpg.Connection:
        return self.host.connection

    @property
    def clay(self) -> Receiver:
        return self.connected.clay

    async def call(
        self, method: str, path: str, body: Any = None, *, status: int | None = None, who: str = "owner"
    ) -> Any:
        """Expects success, or `status`."""
        answer = await self.connected.app.call(method, path, who, json=body)
        expected = answer.is_success if status is None else answer.status_code == status
        assert expected, f"{answer.status_code} {answer.text}"
        return answer.json()

    async def push(self, lead_ids: Sequence[UUID] | None = None, **body: Any) -> str:
        """Queue these leads, or all of the project. Returns the job's id."""
        named = {"lead_ids": [str(each) for each in lead_ids or self.lead_ids], "project_id": str(self.project_id)}
        return str((await self.call("POST", "/api/clay/push", named | body))["job_id"])

    async def job(self, job_id: str) -> Any:
        return await self.call("GET", f"/api/clay/jobs/{job_id}")

    async def drain(self) -> None:
        await self.connected.drain()

    async def pushed(self, lead_ids: Sequence[UUID] | None = None, **body: Any) -> Any:
        """The job after its end."""
        job_id = await self.push(lead_ids, **body)
        await self.drain()
        return await self.job(job_id)


@asynccontextmanager
async def pushing(
    database_url: str,
    *,
    leads: int = 3,
    clay: Receiver | None = None,
    rate_limit_ms: int = 0,
    vintage: Vintage | None = None,
    **settings: object,
) -> AsyncIterator[Pushing]:
    """Leads without activity, each with a score of its own; who cannot be reached is tried again at once."""
    said = {"retry_delays_seconds": "0.02,0.02,0.02", "request_timeout_seconds": 2.0} | settings
    async with connected_app(database_url, vintage, clay, **said) as connected:
        host = connected.app.host
        project_id = await host.project(connected.app.org_id)
        lead_ids = [await host.lead(project_id, score=90 - number / 10) for number in range(leads)]
        made = Pushing(connected, project_id, sorted(lead_ids))
        body = {"webhook_url": connected.clay.url, "table_name": "Leads", "rate_limit_ms": rate_limit_ms}
        await made.call("PUT", "/api/clay/config", body)
        yield made
