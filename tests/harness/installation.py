"""Sets up an installation of the service: NexusLeads' tables with leads, settings, and functions to configure, push, drain and read."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from clay_push_service import queue
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.database import Database
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.host.columns import Vintage
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.push_jobs.accept import AcceptedJob, accept
from clay_push_service.push_jobs.selection import select_by_filters, select_by_ids
from clay_push_service.push_jobs.targets.choose import require_destination
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.drainer import Drainer
from clay_push_service.settings import Settings
from clay_push_service.states import PushMode
from tests.harness.matrix import chosen_vintage
from tests.harness.nexusleads import NexusLeads, open_nexusleads
from tests.harness.settings import make_local_settings
from tests.support.destination_rows import add_destination, add_version
from tests.support.receiver import Receiver, receiving

NO_PROJECT = UUID(int=0)


@dataclass
class Installation:
    """An installation with two organizations. `owner`, `admin` and `member` are users of the first, `other_owner` owns the second, `both` is in both.

    The project and its leads belong to the first organization.
    """

    settings: Settings
    host: NexusLeads
    """Changes NexusLeads' tables as NexusLeads does."""
    database: Database
    """Connects as the role of least rights. The code under test uses it."""
    owner: Database
    """Connects as the owner of the database. Only the test uses it, to prepare and to inspect."""
    host_tables: HostTableCache
    org_id: UUID
    other_org_id: UUID
    project_id: UUID = NO_PROJECT
    lead_ids: Sequence[UUID] = field(default=())

    @property
    def vintage(self) -> Vintage:
        return self.host.vintage

    @cached_property
    def secret_box(self) -> SecretBox:
        return SecretBox(self.settings.encryption_keys)

    def name(self, word: str) -> str:
        """Returns NexusLeads' name of the table or column that this service calls `word`."""
        return self.host.name(word)

    async def fetch(self, statement: str, **values: Any) -> list[Any]:
        """Run the statement as the database's owner. Returns its rows."""
        async with self.owner.transaction() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def configure(
        self, url: str, *, org_id: UUID | None = None, rate_limit_ms: int = 0, token: str | None = None
    ) -> UUID:
        """Save a webhook as the config endpoint does. Returns the id of the destination version."""
        org_id = org_id or self.org_id
        version_id = uuid4()
        async with self.database.transaction() as connection:
            destination_id = await add_destination(connection, org_id, rate_limit_ms=rate_limit_ms)
            await add_version(
                connection, org_id, destination_id, version_id=version_id,
                sealed_url=self.secret_box.seal(url, org_id, version_id),
                sealed_token=self.secret_box.seal(token, org_id, version_id) if token else None,
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
        """Accept a push of these leads, or of all leads of the project."""
        org_id, project_id = org_id or self.org_id, project_id or self.project_id
        resend = Resend.all() if again else Resend()
        async with self.database.transaction() as connection:
            tables = await self.host_tables.tables(connection)
            destination = await require_destination(connection, org_id, destination_id)
            if lead_ids is None:
                selection = await select_by_filters(
                    connection, tables, org_id, project_id, LeadCriteria(), PushMode.ALL, resend
                )
            else:
                selection = await select_by_ids(connection, tables, org_id, lead_ids, project_id, resend)
            [accepted] = await accept(connection, tables, Actor(org_id, "user:test"), destination, selection)
        return accepted

    @asynccontextmanager
    async def drainer(self, **changes: Any) -> AsyncIterator[Drainer]:
        """A drainer in this process, with settings changed by `changes`. It has no queue: `drain_all` runs its wake-ups."""
        settings = self.settings.model_copy(update=changes)
        client = ClayClient.create(settings)
        drainer = Drainer(SendingContext.create(self.database, self.host_tables, client, self.secret_box, settings))
        running = asyncio.create_task(drainer.run())
        try:
            yield drainer
        finally:
            await drainer.stop(5.0)
            running.cancel()
            await asyncio.wait([running])
            await client.close()

    async def drain_all(self, drainer: Drainer, seconds: float = 200.0) -> None:
        """Run wake-ups that are due until every push job has finished."""
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

    async def drain(self) -> None:
        """Drain every unfinished push job, as a worker does."""
        async with self.drainer() as drainer:
            await self.drain_all(drainer)

    async def job(self, job_id: UUID) -> Any:
        [row] = await self.fetch("SELECT * FROM clay.push_jobs WHERE id = :id", id=job_id)
        return row

    async def deliveries(self, job_id: UUID) -> list[Any]:
        return await self.fetch("SELECT * FROM clay.clay_push_log WHERE job_id = :id ORDER BY seq", id=job_id)


@dataclass
class Part:
    """Base of the parts that are added to an installation: an API, workers, mirror and inbox."""

    installation: Installation

    @property
    def settings(self) -> Settings:
        return self.installation.settings

    @property
    def host(self) -> NexusLeads:
        return self.installation.host

    @property
    def owner(self) -> Database:
        return self.installation.owner

    @property
    def org_id(self) -> UUID:
        return self.installation.org_id

    @property
    def other_org_id(self) -> UUID:
        return self.installation.other_org_id

    @property
    def project_id(self) -> UUID:
        return self.installation.project_id

    @property
    def lead_ids(self) -> Sequence[UUID]:
        return self.installation.lead_ids


@asynccontextmanager
async def install_with_settings(
    settings: Settings, database_url: str, vintage: Vintage | None = None, *, enterprise: bool | None = None
) -> AsyncIterator[Installation]:
    """An installation without a project. `database_url` is the owner's. `enterprise` is None if the test does not choose a plan."""
    async with open_nexusleads(database_url, vintage or chosen_vintage(), enterprise=enterprise) as host:
        org_id, other_org_id = await host.organization("Acme"), await host.organization("Other")
        for role in ("owner", "admin", "member"):
            await host.member(org_id, role, role)
        await host.member(other_org_id, "other_owner", "owner")
        both = await host.member(org_id, "both", "owner")
        await host.add("org_members", org_id=other_org_id, user_id=both, role="member")
        database, owner = Database.of(settings), Database(database_url, pool_size=3, application="test-owner")
        try:
            yield Installation(
                settings,
                host,
                database,
                owner,
                HostTableCache(settings.host_schema),
                org_id,
                other_org_id,
            )
        finally:
            await database.close()
            await owner.close()


@asynccontextmanager
async def install(
    database_url: str, *, leads: int = 20, vintage: Vintage | None = None, **changes: Any
) -> AsyncIterator[Installation]:
    """An installation with a project of this many leads and no destination. `changes` are changed settings.

    `vintage` and `billing_enabled` default to the combination that `matrix` chooses for the test. With billing on, every
    organization is on the Enterprise plan.
    """
    settings = make_local_settings(database_url, **changes)
    enterprise = None if "billing_enabled" not in changes else False
    async with install_with_settings(settings, database_url, vintage, enterprise=enterprise) as made:
        made.project_id = await made.host.project(made.org_id)
        made.lead_ids = await made.host.bulk_leads(made.project_id, leads)
        yield made


@asynccontextmanager
async def install_with_drainer(
    database_url: str,
    receiver: Receiver | None = None,
    *,
    leads: int = 20,
    rate_limit_ms: int = 0,
    token: str | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[Installation, Drainer, Receiver]]:
    """An installation whose destination is a receiver in this process, and a drainer."""
    async with receiving(receiver) as clay:
        hosts = (address_of(clay),)
        async with install(database_url, leads=leads, **({"allowed_webhook_hosts": hosts} | changes)) as made:
            await made.configure(clay.url, rate_limit_ms=rate_limit_ms, token=token)
            async with made.drainer() as drainer:
                yield made, drainer, clay


def address_of(receiver: Receiver) -> str:
    """Returns host and port of a URL in the format of the setting of allowed hosts."""
    return f"127.0.0.1:{httpx.URL(receiver.url).port}"
