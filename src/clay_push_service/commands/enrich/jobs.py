"""`clay-push enrichment`: lists the enrichment jobs of an organization, and cancels one, with the functions of the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.enrichment.jobs.cancel import cancel
from clay_push_service.enrichment.jobs.queries import read_jobs
from clay_push_service.enrichment.jobs.schemas import EnrichmentCancelAnswer, EnrichmentJobPage
from clay_push_service.enrichment.ledger.states import EnrichmentJobStatus
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.settings import Settings

Result = TypeVar("Result")


def show(settings: Settings, org: str, status: str | None, limit: int) -> None:
    """Raises 422 for an unknown status."""
    try:
        status_filter = None if status is None else EnrichmentJobStatus(status)
    except ValueError:
        raise InvalidError(f"--status {status!r} is not known. Use one of {', '.join(EnrichmentJobStatus)}.") from None

    async def act(connection: AsyncConnection, org_id: UUID) -> EnrichmentJobPage:
        return await read_jobs(connection, org_id, status=status_filter, project_id=None, after=None, limit=limit)

    page = _in_transaction(settings, org, act)
    table = Table(box=None, pad_edge=False)
    for title in ("id", "kind", "way", "status", "leads", "found", "ended", "credits (estimate)", "by", "since"):
        table.add_column(title, overflow="fold")
    for job in page.jobs:
        table.add_row(
            str(job.id), job.kind, job.way, job.status, str(job.lead_count), str(job.found_count + job.partial_count),
            f"{job.progress_percent} %", f"{job.spent.credits:g}", job.created_by, f"{job.created_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    Console().print(table)
    if page.next_cursor is not None:
        typer.echo(f"Only the newest {limit:,} are shown. Use --limit for more.")


def cancel_one(settings: Settings, org: str, job: str) -> None:
    """Raises 422 for an invalid id, 404 `enrichment_job_not_found`, and 409 `job_ended`."""
    try:
        job_id = UUID(job)
    except ValueError:
        raise InvalidError(f"{job!r} is not an enrichment job id (a UUID).") from None

    async def act(connection: AsyncConnection, org_id: UUID) -> EnrichmentCancelAnswer:
        return await cancel(connection, Actor(org_id, shell_actor()), job_id)

    typer.echo(_in_transaction(settings, org, act).message)


def _in_transaction(settings: Settings, org: str, act: Callable[[AsyncConnection, UUID], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        database = Database.for_shell(settings.database_url)
        try:
            async with database.transaction() as connection:
                tables = await detect(connection, settings.host_schema)
                return await act(connection, (await find_organization(connection, tables, org)).id)
        finally:
            await database.close()

    return asyncio.run(run())
