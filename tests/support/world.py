"""The main test harness for push jobs: NexusLeads' tables with leads, a destination, and functions to accept and drain."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from pydantic import SecretStr
from sqlalchemy import text

from clay_push_service import queue
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.database import Database
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.demo.bulk_leads import load_bulk
from clay_push_service.demo.nexusleads_schema import create_schema
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.push_jobs.accept import AcceptedJob, accept, require_destination
from clay_push_service.push_jobs.selection import select_by_filters, select_by_ids
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.drainer import Drainer
from clay_push_service.settings import Settings
from clay_push_service.states import PushMode
from tests.support.destination_rows import add_destination, add_version
from tests.support.matrix import chosen_billing, chosen_vintage
from tests.support.receiver import Receiver, receiving
from tests.support.runtime import open_host, runtime_url

JWT_SECRET = "a-secret-of-these-tests-alone-long-enough-for-hs256"
KEY = generate_key()


def settings_of_tests(database_url: str, **changes: Any) -> Settings:
    """As a test needs them: the role of least rights, a loopback receiver may be reached, nothing waits for long."""
    values: dict[str, Any] = {
        "database_url": runtime_url(database_url),
        "billing_enabled": chosen_billing(),
        "jwt_secret": SecretStr(JWT_SECRET),
        "encryption_keys": (SecretStr(KEY),),
        "allowed_webhook_hosts": ("127.0.0.1", "localhost", "*.clay.com", "clay.com"),
        "allowed_webhook_networks": ("127.0.0.0/8",),
        "allow_plain_http": True,
        "request_timeout_seconds": 2.0,
        "connect_timeout_seconds": 1.0,
        "retry_delays_seconds": (0.05, 0.05, 0.05),
        "lease_seconds": 5.0,
        "sweep_seconds": 0.5,
        "outage_probe_seconds": 0.3,
        "metrics_port": None,
        "log_format": "console",
    }
    return Settings(_env_file=None, **(values | changes))


@dataclass
class World:
    settings: Settings
    database: Database
    host: HostTableCache
    box: SecretBox
    org_id: UUID
    project_id: UUID
    lead_ids: Sequence[UUID]
    owner: Database | None = None
    """By the owner of the database, to prepare and to inspect; never for what is tested."""
    vintage: Vintage = Vintage.TODAY

    def name(self, word: str) -> str:
        """The host's name of a table or column of ours."""
        return name_in(word, self.vintage)

    async def fetch(self, statement: str, **values: Any) -> list[Any]:
        """Run it as the database's owner."""
        async with (self.owner or self.database).transaction() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def configure(
        self, url: str, *, org_id: UUID | None = None, rate_limit_ms: int = 0, token: str | None = None
    ) -> UUID:
        """A destination, as the config endpoint would make it. Returns the version's id."""
        org_id = org_id or self.org_id
        version_id = uuid4()
        async with self.database.transaction() as connection:
            destination_id = await add_destination(connection, org_id, rate_limit_ms=rate_limit_ms)
            await add_version(
                connection, org_id, destination_id, version_id=version_id,
                sealed_url=self.box.seal(url, org_id, version_id),
                sealed_token=self.box.seal(token, org_id, version_id) if token else None,
            )  # fmt: skip
        return version_id

    async def push(
        self,
        lead_ids: Sequence[UUID] | None = None,
        *,
        again: bool = False,
        org_id: UUID | None = None,
        project_id: UUID | None = None,
        destination_id: UUID | None = None,
    ) -> AcceptedJob:
        """Accept a push of these leads, or of all of the project."""
        org_id, project_id = org_id or self.org_id, project_id or self.project_id
        repeat = Resend.all() if again else Resend()
        async with self.database.transaction() as connection:
            tables = await self.host.tables(connection)
            destination = await require_destination(connection, org_id, destination_id)
            if lead_ids is None:
                choice = await select_by_filters(
                    connection, tables, org_id, project_id, LeadCriteria(), PushMode.ALL, repeat
                )
            else:
                choice = await select_by_ids(connection, tables, org_id, lead_ids, project_id, repeat)
            [accepted] = await accept(connection, Actor(org_id, "user:test"), destination, choice)
        return accepted

    @asynccontextmanager
    async def drainer(self, **changes: Any) -> AsyncIterator[Drainer]:
        """A drainer in this process, without the queue; `drain_all` plays the queue's part."""
        settings = self.settings.model_copy(update=changes)
        client = ClayClient.create(settings)
        drainer = Drainer(SendingContext.create(self.database, self.host, client, self.box, settings))
        recording = asyncio.create_task(drainer.run())
        try:
            yield drainer
        finally:
            await drainer.stop(5.0)
            recording.cancel()
            await asyncio.wait([recording])
            await client.close()

    async def drain_all(self, drainer: Drainer, seconds: float = 200.0) -> None:
        """Run due wake-ups until no push job is live."""
        running: set[asyncio.Task[None]] = set()
        async with asyncio.timeout(seconds):
            while await self.fetch("SELECT 1 FROM clay.push_jobs WHERE status IN ('pending', 'running') LIMIT 1"):
                for row in await self.fetch(f"""
                    DELETE FROM clay.procrastinate_jobs WHERE status = 'todo' AND task_name = '{queue.DRAIN}'
                    AND (scheduled_at IS NULL OR scheduled_at <= now()) RETURNING args ->> 'job_id' AS job_id"""):
                    task = asyncio.create_task(drainer.drain(UUID(row.job_id)))
                    running.add(task)
                    task.add_done_callback(running.discard)
                await asyncio.sleep(0.02)
            if running:
                await asyncio.wait(running)

    async def job(self, job_id: UUID) -> Any:
        [row] = await self.fetch("SELECT * FROM clay.push_jobs WHERE id = :id", id=job_id)
        return row

    async def deliveries(self, job_id: UUID) -> list[Any]:
        return await self.fetch("SELECT * FROM clay.clay_push_log WHERE job_id = :id ORDER BY seq", id=job_id)


@asynccontextmanager
async def world(
    database_url: str, *, leads: int = 20, vintage: Vintage | None = None, **changes: Any
) -> AsyncIterator[World]:
    """One organization with one project of `leads` leads, no destination yet. `database` is the role of least rights.

    Without `vintage` or `billing_enabled`, the test's id chooses; with billing on, every organization is on Enterprise.
    """
    vintage = vintage or chosen_vintage()
    connection = await asyncpg.connect(database_url)
    try:
        await create_schema(connection, vintage)
        [project] = await load_bulk(connection, vintage, organizations=1, leads_per_project=leads)
        lead_id = "member_id" if vintage is Vintage.TODAY else "contributor_id"
        rows = await connection.fetch(f"SELECT {lead_id} FROM lead_scores ORDER BY 1")
        await open_host(connection, database_url, vintage)
        if "billing_enabled" not in changes and chosen_billing():
            await connection.execute(
                "INSERT INTO org_billing (org_id, is_enterprise) SELECT id, true FROM organizations"
            )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    settings = settings_of_tests(database_url, **changes)
    database, owner = Database.of(settings), Database(database_url, pool_size=3, application="test-owner")
    try:
        yield World(
            settings,
            database,
            HostTableCache(settings.host_schema),
            SecretBox(settings.encryption_keys),
            project.org_id,
            project.project_id,
            [row[0] for row in rows],
            owner,
            vintage,
        )
    finally:
        await database.close()
        await owner.close()


@asynccontextmanager
async def draining(
    database_url: str,
    clay: Receiver | None = None,
    *,
    leads: int = 20,
    rate_limit_ms: int = 0,
    token: str | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[World, Drainer, Receiver]]:
    """A world whose destination is a receiver on this machine, and a drainer for it."""
    async with receiving(clay) as receiver:
        hosts = (f"127.0.0.1:{httpx.URL(receiver.url).port}",)
        async with world(database_url, leads=leads, **{"allowed_webhook_hosts": hosts, **changes}) as made:
            await made.configure(receiver.url, rate_limit_ms=rate_limit_ms, token=token)
            async with made.drainer() as drainer:
                yield made, drainer, receiver
