"""Lists the leads whose result from Clay is missing, and pushes exactly those again on explicit request."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination
from clay_push_service.audit import audit
from clay_push_service.callers.actor import Actor
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.deliveries.missing_results import (
    REASONS,
    ResultHistory,
    count_missing,
    read_history,
    read_missing,
)
from clay_push_service.deliveries.suspicion import acknowledge
from clay_push_service.errors import ConflictError
from clay_push_service.host.leads import select_pairs
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob, accept
from clay_push_service.push_jobs.schemas import MAX_LEADS
from clay_push_service.push_jobs.selection import Selection, project_name
from clay_push_service.push_jobs.targets.choose import find_destination_view, require_destination
from clay_push_service.push_jobs.views import LeadRef
from clay_push_service.states import PushMode


class MissingResultView(BaseModel):
    delivery_id: UUID = Field(description="Also in the row's `_meta`: find the row in Clay by it.")
    job_id: UUID = Field(description="The push job that sent it.")
    lead: LeadRef = Field(description="The lead.")
    accepted_at: datetime = Field(description="When Clay accepted it.")


class MissingResultPage(BaseModel):
    """A page of the leads, without their number: counting reads every delivery since the newest result."""

    suspect_since: datetime | None = Field(
        description="Since when the destination is suspect: its results have stopped, and auto-export is held. null: it is not."
    )
    last_result_at: datetime | None = Field(
        description="When the last result arrived; null: this table never sent one."
    )
    window_seconds: float | None = Field(
        description="A result that takes longer is missing: ten times the usual time, at least 30 minutes.",
        examples=[1800],
    )
    leads: list[MissingResultView] = Field(description="These leads, in the order they were pushed.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


class MissingResults(MissingResultPage):
    missing_count: int = Field(description="Leads whose result is missing.", examples=[37])
    reasons: list[str] = Field(description="The usual reasons, the most frequent first.")


async def list_missing_results(
    connection: AsyncConnection, org_id: UUID, destination_id: UUID | None = None, *, after: str | None, limit: int
) -> MissingResults:
    """Of the default destination, or of this one. Raises 400 `cursor_invalid`, 404 `destination_not_found`."""
    page = await read_missing_page(connection, org_id, destination_id, after=after, limit=limit)
    history = await read_history(connection, org_id, destination_id)
    missing = 0 if history is None else await count_missing(connection, history)
    return MissingResults(**dict(page), missing_count=missing, reasons=list(REASONS) if missing else [])


async def read_missing_page(
    connection: AsyncConnection, org_id: UUID, destination_id: UUID | None = None, *, after: str | None, limit: int
) -> MissingResultPage:
    """Raises as `list_missing_results`."""
    after_seq = 0
    if after is not None:
        [key] = pagination.decode(after, 1)
        after_seq = pagination.serial(key)
    await find_destination_view(connection, org_id, destination_id)
    history = await read_history(connection, org_id, destination_id)
    if history is None:
        return MissingResultPage(
            suspect_since=None, last_result_at=None, window_seconds=None, leads=[], next_cursor=None
        )
    rows = await read_missing(connection, history, after_seq=after_seq, limit=limit + 1)
    return MissingResultPage(
        suspect_since=history.suspect_since,
        last_result_at=history.last_result_at,
        window_seconds=history.window_seconds,
        leads=[
            MissingResultView(
                delivery_id=row.id,
                job_id=row.job_id,
                lead=LeadRef(id=row.lead_id, username=row.username, full_name=row.full_name),
                accepted_at=row.accepted_at,
            )
            for row in rows[:limit]
        ],
        next_cursor=pagination.encode(rows[limit - 1].seq) if len(rows) > limit else None,
    )


async def count_push_again(connection: AsyncConnection, org_id: UUID, destination_id: UUID | None = None) -> int:
    """The number of leads that `push_missing_again` would queue."""
    history = await read_history(connection, org_id, destination_id)
    return 0 if history is None else len(await _missing_leads(connection, history))


async def push_missing_again(
    connection: AsyncConnection, tables: HostTables, actor: Actor, destination_id: UUID | None = None
) -> list[AcceptedJob]:
    """Queue the leads whose result is missing, one push job for each project. Raises 409 `nothing_missing`.

    Each may create a second row in Clay: the caller requests exactly that. The destination is no longer suspect; it becomes so
    again if the new deliveries get no result either.
    """
    destination = await require_destination(connection, actor.org_id, destination_id)
    history = await read_history(connection, actor.org_id, destination_id)
    projects = {} if history is None else await _missing_leads(connection, history)
    if history is None or not projects:
        raise ConflictError("No lead of your Clay table waits for a missing result.", code="nothing_missing")
    names = {
        each: await project_name(connection, tables, actor.org_id, each) for each in dict.fromkeys(projects.values())
    }
    selection = Selection(PushMode.SELECTED, select_pairs(tables, projects), names, resend=Resend.all())
    jobs = await accept(connection, tables, actor, destination, selection)
    await acknowledge(connection, actor.org_id, history.destination_id)
    await audit(
        connection,
        actor.org_id,
        actor.name,
        "missing_results.pushed_again",
        {"leads": len(projects), "destination_id": str(history.destination_id)},
    )
    return jobs


async def _missing_leads(connection: AsyncConnection, history: ResultHistory) -> dict[UUID, UUID]:
    """Lead → the project that it was last pushed from."""
    rows = await read_missing(connection, history, limit=MAX_LEADS)
    return {row.lead_id: row.project_id for row in rows}
