"""A world attached to its miniature NexusLeads, with manual runs of mirror and inbox, and a double of the host's processor."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach import attach as attaching
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.plan import AttachRequest, Plan
from clay_push_service.host_integration.inbox.inbox import Inbox
from clay_push_service.host_integration.mirror.mirror import Mirror, PassResult
from clay_push_service.sending.drainer import Drainer
from tests.support.receiver import Receiver
from tests.support.runtime import runtime_role as role_of_tests
from tests.support.world import World, draining


@dataclass
class Attached:
    """`connection` is the host's own."""

    world: World
    drainer: Drainer
    clay: Receiver
    vintage: Vintage
    connection: asyncpg.Connection
    mirror: Mirror
    inbox: Inbox

    @property
    def owner(self) -> Database:
        """Of the database: attaches and detaches."""
        assert self.world.owner is not None
        return self.world.owner

    async def attach(
        self, level: Level, *, dry_run: bool = False, runtime_role: str | None = None, **wishes: bool
    ) -> Plan:
        """By the database's owner, for the role that the tests run as."""
        async with self.owner.transaction() as connection:
            tables = await detect(connection)
            request = AttachRequest(level, runtime_role or role_of_tests(), **wishes)
            return await attaching.attach(connection, tables, request, dry_run=dry_run)

    async def detach(self) -> None:
        async with self.owner.transaction() as connection:
            await attaching.detach(connection, await detect(connection), role_of_tests(), dry_run=False)

    async def mirror_now(self) -> PassResult:
        passed = await self.mirror.run_pass()
        assert passed is not None
        return passed

    async def check_now(self) -> PassResult:
        """As a pass that also looks at rows whose end is written."""
        self.mirror._checked_at = float("-inf")
        return await self.mirror_now()

    async def push_all(self, lead_ids: Sequence[UUID] | None = None) -> UUID:
        accepted = await self.world.push(lead_ids)
        await self.world.drain_all(self.drainer)
        return accepted.job_id

    async def row(self, host_job_id: UUID) -> asyncpg.Record | None:
        return await self.connection.fetchrow("SELECT * FROM sourcing_jobs WHERE id = $1", host_job_id)

    async def status(self, host_job_id: UUID) -> str:
        return str(await self.connection.fetchval("SELECT status FROM sourcing_jobs WHERE id = $1", host_job_id))

    async def metadata(self, host_job_id: UUID) -> dict[str, Any]:
        found = await self.connection.fetchval("SELECT metadata::text FROM sourcing_jobs WHERE id = $1", host_job_id)
        read: dict[str, Any] = json.loads(found)
        return read

    async def steps(self, host_job_id: UUID) -> list[tuple[int, str, str, str | None]]:
        rows = await self.connection.fetch(
            "SELECT step_number, step_name, status, message FROM job_progress WHERE job_id = $1 ORDER BY 1", host_job_id
        )
        return [tuple(row) for row in rows]

    async def marks(self) -> list[asyncpg.Record]:
        return await self.connection.fetch("SELECT * FROM clay_push_log ORDER BY pushed_at, id")

    async def auto_export_on(self, min_score: float | None = None) -> None:
        await self.connection.execute(
            "UPDATE projects SET auto_export_clay_enabled = true, auto_export_clay_min_score = $1", min_score
        )

    async def host_queues(
        self, lead_ids: Sequence[UUID], *, mode: str = "auto", in_project: UUID | None = None
    ) -> UUID:
        """A push as the host's own backend queues it."""
        host_job_id, project_id = uuid4(), in_project or self.world.project_id
        metadata = {
            "lead_ids": [str(each) for each in lead_ids],
            "project_id": str(project_id),
            "org_id": str(self.world.org_id),
            "clay_webhook_url": "https://api.clay.com/v3/sources/webhook/secret",
            "push_mode": mode,
        }
        await self.connection.execute(
            "INSERT INTO sourcing_jobs (id, project_id, job_type, status, metadata) VALUES ($1, $2, 'clay_push', 'pending', $3)",
            host_job_id,
            project_id,
            json.dumps(metadata),
        )
        return host_job_id


@asynccontextmanager
async def attached(
    database_url: str, level: Level | None = Level.INBOX, *, vintage: Vintage | None = None, **changes: Any
) -> AsyncIterator[Attached]:
    async with draining(database_url, vintage=vintage, **changes) as (w, drainer, clay):
        connection = await asyncpg.connect(database_url)
        try:
            made = Attached(
                w,
                drainer,
                clay,
                w.vintage,
                connection,
                Mirror(w.database, HostTableCache()),
                Inbox(w.database, HostTableCache(), w.settings),
            )
            if level is not None:
                await made.attach(level)
            yield made
        finally:
            await connection.close()


@dataclass
class HostProcessor:
    """The host's job processor, as the facts describe it: polls, claims every pending row, knows no `clay_push`."""

    connection: asyncpg.Connection
    would_push: list[str] = field(default_factory=list)
    """Leads it would have pushed itself, had it been left to."""
    in_hand: list[asyncpg.Record] = field(default_factory=list)

    async def start(self) -> None:
        """At its start every running row is turned back to pending, and its progress deleted."""
        rows = await self.connection.fetch("SELECT id FROM sourcing_jobs WHERE status = 'running'")
        ids = [row["id"] for row in rows]
        await self.connection.execute("DELETE FROM job_progress WHERE job_id = ANY($1)", ids)
        await self.connection.execute(
            "UPDATE sourcing_jobs SET status = 'pending', started_at = NULL, current_step = 0,"
            " progress_percentage = 0 WHERE id = ANY($1)",
            ids,
        )

    async def claim(self) -> None:
        while True:
            row = await self.connection.fetchrow(
                "UPDATE sourcing_jobs SET status = 'running', started_at = now() WHERE id = (SELECT id FROM sourcing_jobs"
                " WHERE status = 'pending' ORDER BY created_at FOR UPDATE SKIP LOCKED LIMIT 1)"
                " RETURNING id, job_type, metadata::text AS metadata, status"
            )
            if row is None or row["id"] in [each["id"] for each in self.in_hand]:
                return
            self.in_hand.append(row)

    async def finish(self) -> None:
        for row in self.in_hand:
            failed = None
            if row["job_type"] == "clay_push":
                leads = json.loads(row["metadata"] or "{}").get("lead_ids") or []
                self.would_push += leads
                failed = "No module named 'services.clay_service'" if leads else "No lead IDs specified"
            await self.connection.execute(
                "UPDATE sourcing_jobs SET status = $2, error_message = $3, completed_at = now() WHERE id = $1",
                row["id"],
                "failed" if failed else "completed",
                failed,
            )
        self.in_hand.clear()

    async def poll(self) -> None:
        await self.claim()
        await self.finish()
