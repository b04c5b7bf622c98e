"""An installation that is attached to NexusLeads. Tests run mirror and inbox pass by pass, and NexusLeads' own job processor."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach import attach as attaching
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.plan import AttachRequest, Plan
from clay_push_service.host_integration.inbox.inbox import Inbox
from clay_push_service.host_integration.mirror.mirror import Mirror, PassResult
from clay_push_service.sending.drainer import Drainer
from tests.harness.installation import Part, install_with_drainer
from tests.harness.runtime import runtime_role
from tests.support.receiver import Receiver


@dataclass
class Attached(Part):
    drainer: Drainer
    receiver: Receiver
    mirror: Mirror
    inbox: Inbox

    async def attach(self, level: Level, *, dry_run: bool = False, role: str | None = None, **wishes: bool) -> Plan:
        """Attach as the database's owner, and grant to the role of the code under test."""
        async with self.owner.transaction() as connection:
            tables = await detect(connection)
            request = AttachRequest(level, role or runtime_role(), **wishes)
            return await attaching.attach(connection, tables, request, dry_run=dry_run)

    async def detach(self) -> None:
        async with self.owner.transaction() as connection:
            await attaching.detach(connection, await detect(connection), runtime_role(), dry_run=False)

    async def mirror_now(self) -> PassResult:
        passed = await self.mirror.run_pass()
        assert passed is not None
        return passed

    async def check_now(self) -> PassResult:
        """Run a mirror pass that also checks the rows of finished jobs."""
        self.mirror = Mirror(
            self.installation.database, HostTableCache()
        )  # only the first pass of a mirror checks them
        return await self.mirror_now()

    async def push_all(self, lead_ids: Sequence[UUID] | None = None) -> UUID:
        accepted = await self.installation.push(lead_ids)
        await self.installation.drain_all(self.drainer)
        return accepted.job_id

    async def row(self, host_job_id: UUID) -> asyncpg.Record | None:
        return await self.host.connection.fetchrow("SELECT * FROM sourcing_jobs WHERE id = $1", host_job_id)

    async def status(self, host_job_id: UUID) -> str:
        return str(await self.host.connection.fetchval("SELECT status FROM sourcing_jobs WHERE id = $1", host_job_id))

    async def metadata(self, host_job_id: UUID) -> dict[str, Any]:
        found = await self.host.connection.fetchval(
            "SELECT metadata::text FROM sourcing_jobs WHERE id = $1", host_job_id
        )
        read: dict[str, Any] = json.loads(found)
        return read

    async def steps(self, host_job_id: UUID) -> list[tuple[int, str, str, str | None]]:
        rows = await self.host.connection.fetch(
            "SELECT step_number, step_name, status, message FROM job_progress WHERE job_id = $1 ORDER BY 1", host_job_id
        )
        return [tuple(row) for row in rows]

    async def marks(self) -> list[asyncpg.Record]:
        return await self.host.connection.fetch("SELECT * FROM clay_push_log ORDER BY pushed_at, id")

    async def auto_export_on(self, min_score: float | None = None) -> None:
        await self.host.connection.execute(
            "UPDATE projects SET auto_export_clay_enabled = true, auto_export_clay_min_score = $1", min_score
        )

    async def host_queues(
        self, lead_ids: Sequence[UUID], *, mode: str = "auto", in_project: UUID | None = None
    ) -> UUID:
        """Insert a push into the job queue of NexusLeads, as its backend does."""
        host_job_id, project_id = uuid4(), in_project or self.installation.project_id
        metadata = {
            "lead_ids": [str(each) for each in lead_ids],
            "project_id": str(project_id),
            "org_id": str(self.installation.org_id),
            "clay_webhook_url": "https://api.clay.com/v3/sources/webhook/secret",
            "push_mode": mode,
        }
        await self.host.connection.execute(
            "INSERT INTO sourcing_jobs (id, project_id, job_type, status, metadata) VALUES ($1, $2, 'clay_push', 'pending', $3)",
            host_job_id,
            project_id,
            json.dumps(metadata),
        )
        return host_job_id


@asynccontextmanager
async def install_attached(
    database_url: str, level: Level | None = Level.INBOX, *, vintage: Vintage | None = None, **changes: Any
) -> AsyncIterator[Attached]:
    """Attach at this level as the database's owner. Without a level, the test attaches later."""
    async with install_with_drainer(database_url, vintage=vintage, **changes) as (made, drainer, receiver):
        mirror, inbox = (
            Mirror(made.database, HostTableCache()),
            Inbox(made.database, HostTableCache(), made.settings),
        )
        part = Attached(made, drainer, receiver, mirror, inbox)
        if level is not None:
            await part.attach(level)
        yield part


@dataclass
class HostProcessor:
    """NexusLeads' own job processor. It polls, claims every pending row, and has no handler for `clay_push`."""

    connection: asyncpg.Connection
    would_push: list[str] = field(default_factory=list)
    """Leads of the `clay_push` rows that the processor claimed."""
    in_hand: list[asyncpg.Record] = field(default_factory=list)

    async def start(self) -> None:
        """Set every running row back to pending and delete its progress, as the processor does when it starts."""
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
