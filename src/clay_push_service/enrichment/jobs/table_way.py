"""Requests enrichment by the table: pushes the leads of a job to the Clay table, whose HTTP API column sends the results back."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.destination_settings.host_sync import sync_host_settings
from clay_push_service.enrichment.ledger.budget import Reservation
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.item_ends import ItemEnd, end_items
from clay_push_service.enrichment.ledger.new_jobs import link_deliveries
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import accept
from clay_push_service.push_jobs.selection import select_by_ids
from clay_push_service.push_jobs.targets.choose import require_destination
from clay_push_service.settings import Settings


async def request_by_table(
    connection: AsyncConnection,
    tables: HostTables,
    settings: Settings,
    actor: Actor,
    job_id: UUID,
    queued: Mapping[UUID, UUID],
    reservation: Reservation,
    budget_for: int,
    answer_within: timedelta,
) -> None:
    """Pushes up to `budget_for` of the queued leads (lead → item), and ends the others. The enrichment request counts as the explicit request to send again.

    Raises 409 `clay_not_configured` or `destination_closed`.
    """
    await sync_host_settings(connection, tables, actor.org_id, settings)
    destination = await require_destination(connection, actor.org_id)
    lead_ids = list(queued)[:budget_for]
    selection = await select_by_ids(connection, tables, actor.org_id, lead_ids, None, Resend.all())
    pushes = await accept(connection, tables, actor, destination, selection)
    push_job_ids = [push.job_id for push in pushes]
    tied = await link_deliveries(connection, actor.org_id, job_id, push_job_ids, reservation, answer_within)
    ends = [
        ItemEnd(item_id, ItemOutcome.FAILED, ItemCause.BUDGET_EXHAUSTED)
        if lead_id not in lead_ids
        else ItemEnd(item_id, ItemOutcome.SKIPPED, ItemCause.ALREADY_REQUESTED)  # a push of the lead waits already
        for lead_id, item_id in queued.items()
        if lead_id not in tied
    ]
    await end_items(connection, actor.org_id, ends, states=[ItemState.QUEUED])
