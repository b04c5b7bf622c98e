"""Decides what a sync mode sends to a Clay table, from how the table handles duplicates, and finds the changed leads of a push.

Clay's webhook only inserts rows: it changes and deletes none. So no mode mirrors a project or deletes leads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.changed_leads import find_changed
from clay_push_service.deliveries.eligibility import eligibility
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.states import DuplicateHandling, SyncedLeads


class ChangedLead(StrEnum):
    """What a push does with a lead that the table has and that has changed since."""

    SKIPPED = "skipped"
    NEW_ROW = "new_row"
    """It is sent as another row, with `_meta.revision` and `_meta.supersedes`; the old row stays."""
    UPDATED = "updated"
    """The new row takes the place of the old one."""


@dataclass(frozen=True, slots=True)
class SyncDecision:
    """`refusal`: why a push of this mode must not be accepted; None: it may be."""

    changed: ChangedLead
    refusal: str | None = None


DROPPED: Final = (
    "This Clay table keeps the oldest row, so Clay would drop each row of a changed lead and still count the submission."
    " Push with mode `new`, or let the table keep the newest row and save `dedupe` as `keeps_newest`."
)
NOT_KNOWN: Final = (
    "It is not known what this Clay table does with a second row of a lead: Clay may drop it and still count the submission."
    " Look at the table's auto-dedupe in Clay, and save `dedupe` of the destination; or push with mode `new`."
)
_OF_CHANGED: Final[Mapping[DuplicateHandling, SyncDecision]] = MappingProxyType(
    {
        DuplicateHandling.NONE: SyncDecision(ChangedLead.NEW_ROW),
        DuplicateHandling.KEEPS_NEWEST: SyncDecision(ChangedLead.UPDATED),
        DuplicateHandling.KEEPS_OLDEST: SyncDecision(ChangedLead.SKIPPED, DROPPED),
        DuplicateHandling.UNKNOWN: SyncDecision(ChangedLead.SKIPPED, NOT_KNOWN),
    }
)


def decide_sync(mode: SyncedLeads, dedupe: DuplicateHandling) -> SyncDecision:
    """What happens to changed leads. Leads that the table does not have are sent in every mode."""
    return SyncDecision(ChangedLead.SKIPPED) if mode is SyncedLeads.NEW else _OF_CHANGED[dedupe]


def require_sync(mode: SyncedLeads, dedupe: DuplicateHandling, field: str = "sync_mode") -> ChangedLead:
    """What the mode does with changed leads. Raises 409 `sync_mode_refused`; `field`: the name of the mode in the request."""
    decision = decide_sync(mode, dedupe)
    if decision.refusal is not None:
        raise sync_refused(decision.refusal, field)
    return decision.changed


def sync_refused(reason: str, field: str = "sync_mode") -> ConflictError:
    return ConflictError(reason, code="sync_mode_refused", errors=[{"field": field, "message": "is not possible"}])


def describe_price(changed: ChangedLead, leads: int, *, estimated: bool = False) -> str | None:
    """What the changed leads of a push cost, in one or two sentences; None: they cost nothing."""
    if changed is ChangedLead.SKIPPED or not leads:
        return None
    about = "About " if estimated else ""
    subject = f"{about}{leads:,} changed {'lead uses' if leads == 1 else 'leads use'} {leads:,}"
    price = f"{subject} {'submission' if leads == 1 else 'submissions'} of the webhook's quota"
    if changed is ChangedLead.UPDATED:
        return f"{price}. Clay replaces the old rows, and its enrichments run and are billed again."
    return f"{price} and create as many second rows, which Clay bills again; the old rows stay."


async def with_changed_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    clay_table: ClayTable,
    dedupe: DuplicateHandling,
    selection: Selection,
) -> Selection:
    """The selection with the changed leads that its mode sends again. Compares all selected leads in the table: 0.1 s for a thousand.

    Raises 409 `sync_mode_refused`.
    """
    if require_sync(selection.sync_mode, dedupe) is ChangedLead.SKIPPED:
        return selection
    excluding = await read_excluding(connection, org_id)
    judged = eligibility(tables, selection.leads, org_id, clay_table, selection.resend, excluding)
    in_clay = select(judged.c.lead_id).where(judged.c.cause == Cause.ALREADY_IN_CLAY.value)
    lead_ids = await select_rows(connection, in_clay, UUID)
    changed = await find_changed(connection, tables, org_id, clay_table, lead_ids)
    return replace(selection, resend=replace(selection.resend, changed=changed), push_again=bool(changed))
