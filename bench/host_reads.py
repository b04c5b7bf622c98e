"""Measures reads of NexusLeads' tables: filtered counts over many leads, 10,000 selected ids, 500 payloads. Prints medians."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.harness.nexusleads import NexusLeads

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.lead_filters import LeadCriteria, count_filtered, read_page, select_filtered
from clay_push_service.host.leads import select_by_id, unknown_leads
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload import build
from clay_push_service.local_database.nexusleads_tables import create_schema

LEADS = 200_000
ROUNDS = 11
"""At least six, because PostgreSQL may switch to a generic plan at the sixth execution of a prepared statement."""

Read = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Project:
    org_id: UUID
    project_id: UUID


@dataclass(frozen=True, slots=True)
class Reading:
    what: str
    rows: int
    median_ms: float
    slowest_ms: float
    limit_ms: float | None
    """The limit of the median, or None."""


async def run(database_url: str, vintage: Vintage = Vintage.TODAY, leads: int = LEADS) -> list[Reading]:
    """Fill the EMPTY database at `database_url` with a project of `leads` leads and five small ones, and read them."""
    project = await _fill(database_url, vintage, leads)
    database = Database(database_url, pool_size=1)
    try:
        async with database.transaction() as connection:
            readings = [await _measure(*read) for read in await _reads(connection, project)]
    finally:
        await database.close()
    for reading in readings:
        limit = f"{reading.limit_ms:8.0f}" if reading.limit_ms else " " * 8
        print(f"{reading.what:44} {reading.rows:8,} {reading.median_ms:9.1f} {reading.slowest_ms:9.1f} {limit}")
    return readings


async def _fill(database_url: str, vintage: Vintage, leads: int) -> Project:
    connection = await asyncpg.connect(database_url)
    try:
        await create_schema(connection, vintage)
        host = NexusLeads(database_url, vintage, connection)
        projects = []
        for number in (leads, *[1_000] * 5):
            org_id = await host.organization()
            projects.append(Project(org_id, await host.project(org_id)))
            await host.bulk_leads(projects[-1].project_id, number)
    finally:
        await connection.close()
    return projects[0]


async def _reads(connection: AsyncConnection, project: Project) -> list[tuple[str, Read, float | None]]:
    tables = await detect(connection)
    org_id, project_id = project.org_id, project.project_id
    everything = (await connection.execute(select_filtered(tables, org_id, project_id, LeadCriteria()))).all()
    ids = [row.lead_id for row in everything][:10_000]
    many = LeadCriteria(
        min_score=Decimal(10),
        search="e",
        classifications=["DECISION_MAKER", "HIGH_IMPACT"],
        companies=[f"Company {number}" for number in range(0, 500, 2)],
        exclude_priorities=["low"],
    )

    def count(criteria: LeadCriteria) -> Read:
        return lambda: count_filtered(connection, tables, org_id, project_id, criteria)

    def page(criteria: LeadCriteria) -> Read:
        async def read() -> int:
            return len(await read_page(connection, tables, org_id, project_id, criteria, None, 50))

        return read

    return [
        ("count: all", count(LeadCriteria()), 500),
        ("count: min_score", count(LeadCriteria(min_score=Decimal(50))), 500),
        ("count: search, some found", count(LeadCriteria(search="number 77")), 500),
        ("count: search, none found", count(LeadCriteria(search="zzz qq")), 500),
        ("count: five conditions", count(many), 500),
        ("page of 50: all", page(LeadCriteria()), None),
        ("page of 50: search, none found", page(LeadCriteria(search="zzz qq")), None),
        ("selected 10,000, inside PostgreSQL", _selected_inside(connection, tables, org_id, ids, None), 60),
        ("selected 10,000 of a project, inside", _selected_inside(connection, tables, org_id, ids, project_id), 60),
        ("selected 10,000, fetched", _selected_fetched(connection, tables, org_id, ids), None),
        ("unknown among 10,000", _unknown(connection, tables, org_id, [*ids, uuid4()]), None),
        ("500 payload rows", _payloads(connection, tables, project, ids[:500], with_bodies=False), 50),
        (
            "500 payload rows and their bodies",
            _payloads(connection, tables, project, ids[:500], with_bodies=True),
            None,
        ),
    ]


def _selected_inside(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, ids: list[UUID], project_id: UUID | None
) -> Read:
    """Select leads as a push does: the rows go into an INSERT and do not leave the server."""

    async def read() -> int:
        rows = select_by_id(tables, org_id, ids, project_id).subquery()
        return (await connection.execute(select(func.count(rows.c.username)))).scalar_one()

    return read


def _selected_fetched(connection: AsyncConnection, tables: HostTables, org_id: UUID, ids: list[UUID]) -> Read:
    async def read() -> int:
        return len((await connection.execute(select_by_id(tables, org_id, ids, None))).all())

    return read


def _unknown(connection: AsyncConnection, tables: HostTables, org_id: UUID, ids: list[UUID]) -> Read:
    async def read() -> int:
        return len(await unknown_leads(connection, tables, org_id, ids, None))

    return read


def _payloads(
    connection: AsyncConnection, tables: HostTables, project: Project, ids: list[UUID], *, with_bodies: bool
) -> Read:
    async def read() -> int:
        rows = await read_lead_rows(connection, tables, project.org_id, project.project_id, ids)
        return len([build(row, uuid4(), datetime.now(UTC)) for row in rows.values()]) if with_bodies else len(rows)

    return read


async def _measure(what: str, read: Read, limit_ms: float | None) -> Reading:
    times, rows = [], 0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        rows = await read()
        times.append((time.perf_counter() - start) * 1000)
    return Reading(what, rows, statistics.median(times), max(times), limit_ms)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Vintage(sys.argv[2]) if len(sys.argv) > 2 else Vintage.TODAY))
