"""Fills NexusLeads' tables in a test's database, row by row or in bulk. Tests name tables and columns by this service's words."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.host.detect import detect
from clay_push_service.host.tables import HostTables, host_tables
from clay_push_service.host_integration.attach import attach as attaching
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.plan import AttachRequest
from clay_push_service.host_integration.attach.triggers import SCANS
from clay_push_service.local_database.nexusleads_tables import create_schema
from tests.harness.bulk_leads import add_bulk_leads
from tests.harness.matrix import chosen_billing
from tests.harness.runtime import open_host, runtime_role

Cell = str | int | float | bool | Decimal | UUID | date | list[str] | None


@dataclass(frozen=True, slots=True)
class NexusLeads:
    """NexusLeads' tables. `connection` belongs to the tables' owner, commits each statement, and has NexusLeads' own privileges."""

    url: str
    vintage: Vintage
    connection: asyncpg.Connection
    enterprise: bool = False
    """Whether its organizations are on the Enterprise plan."""

    @property
    def tables(self) -> HostTables:
        return host_tables(self.vintage)

    def name(self, word: str) -> str:
        """Returns NexusLeads' name of the table or column that this service calls `word`."""
        return name_in(word, self.vintage)

    async def add(self, word: str, **values: Cell) -> UUID:
        """Insert one row; table and columns are named by this service's words. Returns its id, which is new unless given."""
        row: dict[str, Cell] = {"id": uuid4(), **values}
        columns = ", ".join(self.name(key) for key in row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.connection.execute(f"INSERT INTO {self.name(word)} ({columns}) VALUES ({places})", *row.values())
        row_id = row["id"]
        assert isinstance(row_id, UUID)
        return row_id

    async def attach(self, level: Level, *, write_enrichment: bool = False) -> None:
        """Attach as `clay-push attach` does, for the role of least rights."""
        owner = Database(self.url, pool_size=1)
        try:
            async with owner.transaction() as connection:
                tables = await detect(connection)
                request = AttachRequest(level, runtime_role(), write_enrichment=write_enrichment)
                await attaching.attach(connection, tables, request, dry_run=False)
        finally:
            await owner.close()

    async def organization(self, name: str = "Acme") -> UUID:
        org_id = await self.add("organizations", name=name, slug=f"{name.lower()}-{uuid4().hex}")
        if self.enterprise:
            await self.add("org_billing", org_id=org_id, is_enterprise=True)
        return org_id

    async def project(self, org_id: UUID | None, name: str = "Platform Leads") -> UUID:
        return await self.add("projects", org_id=org_id, name=name)

    async def source(self, project_id: UUID, full_name: str) -> UUID:
        return await self.add("sources", project_id=project_id, full_name=full_name)

    async def lead(
        self,
        project_id: UUID | None = None,
        *,
        lead_id: UUID | None = None,
        score: float | None = 50,
        qualified: bool | None = False,
        priority: str | None = "medium",
        **values: Cell,
    ) -> UUID:
        """Insert a person and, with a project, make that person a lead of it. Only the given columns have values."""
        made = lead_id or uuid4()
        known: dict[str, Cell] = {"username": f"user-{made.hex[:12]}", **values}
        if self.vintage is Vintage.DOCUMENT:
            known.setdefault("github_id", made.int % 2**62)
        await self.add("leads", id=made, **known)
        if project_id is not None:
            await self.scored(made, project_id, score=score, qualified=qualified, priority=priority)
        return made

    async def scored(
        self,
        lead_id: UUID,
        project_id: UUID,
        *,
        score: float | None = 50,
        qualified: bool | None = False,
        priority: str | None = "medium",
    ) -> None:
        await self.add(
            "lead_scores",
            lead_id=lead_id,
            project_id=project_id,
            overall_score=score,
            is_qualified_lead=qualified,
            priority=priority,
        )

    async def bulk_leads(self, project_id: UUID, count: int) -> Sequence[UUID]:
        """Add this many leads with varied values in one statement. Returns the ids of all leads of the project, sorted."""
        await add_bulk_leads(self.connection, self.vintage, project_id, count)
        rows = await self.connection.fetch(
            f"SELECT {self.name('lead_id')} AS lead_id FROM lead_scores WHERE project_id = $1 ORDER BY 1", project_id
        )
        return [row["lead_id"] for row in rows]

    async def member(self, org_id: UUID, username: str, role: str = "member", *, is_active: bool | None = True) -> UUID:
        user_id = await self.add("users", username=username, email=f"{username}@example.com", is_active=is_active)
        await self.add("org_members", org_id=org_id, user_id=user_id, role=role)
        return user_id

    async def begin_scan(self, project_id: UUID | None, job_type: str = SCANS[0], **values: object) -> UUID:
        """Insert a scan as NexusLeads' scheduler does: `created_by` is null unless given. Returns its id."""
        row = {"id": uuid4(), "project_id": project_id, "job_type": job_type, "status": "running", **values}
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.connection.execute(f"INSERT INTO sourcing_jobs ({', '.join(row)}) VALUES ({places})", *row.values())
        scan_id = row["id"]
        assert isinstance(scan_id, UUID)
        return scan_id

    async def end_scan(self, scan_id: UUID, status: str = "completed") -> None:
        await self.connection.execute(
            "UPDATE sourcing_jobs SET status = $2, completed_at = now() WHERE id = $1", scan_id, status
        )


@asynccontextmanager
async def open_nexusleads(url: str, vintage: Vintage, *, enterprise: bool | None = None) -> AsyncIterator[NexusLeads]:
    """Create NexusLeads' tables in the database at `url` (the owner's URL), and keep a connection to it.

    The role of least rights gets the privileges that `attach --level read` grants. `enterprise` is None if the test does not
    choose a plan.
    """
    connection = await asyncpg.connect(url)
    try:
        await create_schema(connection, vintage)
        await open_host(connection, url, vintage)
        yield NexusLeads(url, vintage, connection, chosen_billing() if enterprise is None else enterprise)
    finally:
        await connection.close()
