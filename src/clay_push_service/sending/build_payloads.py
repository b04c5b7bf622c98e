"""Builds the payloads of claimed deliveries with one query; a lead that cannot be built does not stop the others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clay_push_service.clay.cause import Cause
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.database.failures import UNAVAILABLE, VALUE_ERRORS, is_about_the_data
from clay_push_service.database.statement import Connection
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.deliveries.suppression import read_excluded, read_excluded_of_organizations
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import RequestedLead, read_lead_rows, read_lead_rows_of_projects
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload import Payload
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.leads.revision import add_revision
from clay_push_service.mappings.renderers import MappedLead, Renderers, read_renderers
from clay_push_service.mappings.versions import MappingCache

YIELD_EVERY = 50
"""Payloads built between two yields to the event loop: about 3 ms, so that no POST misses its slot meanwhile."""


LeadResult = LeadRow | PayloadError | Cause
"""A lead as NexusLeads stores it, or the reason why it cannot be sent."""


@dataclass(slots=True)
class Ready:
    claimed: Claimed
    payload: Payload


@dataclass(frozen=True, slots=True)
class Unsendable:
    claimed: Claimed
    cause: Cause
    detail: str | None = None


async def build_payloads(
    host: HostTableCache,
    database: Database,
    org_id: UUID,
    project_id: UUID,
    claims: Sequence[tuple[Claimed, UUID | None]],
    clock: DatabaseClock,
    mappings: MappingCache,
) -> list[Ready | Unsendable]:
    """Return one entry for each claim, in their order. `claims`: with the version of the mapping of the push job."""
    rows = await _read_leads(host, database, org_id, project_id, [claimed.lead_id for claimed, _ in claims])
    leads = [MappedLead(org_id, claimed.lead_id, mapping) for claimed, mapping in claims]
    renderers = await read_renderers(database, mappings, leads)
    found = [(claimed, lead, rows.get(claimed.lead_id)) for (claimed, _), lead in zip(claims, leads, strict=True)]
    return await _build_each(found, clock.now(), renderers)


async def build_payloads_of_projects(
    host: HostTableCache,
    database: Database,
    claims: Sequence[tuple[RequestedLead, Claimed, UUID | None]],
    clock: DatabaseClock,
    mappings: MappingCache,
) -> list[Ready | Unsendable]:
    """The same for leads of many projects. A value that cannot be read fails the statement: then read each project alone."""

    async def read(connection: Connection, tables: HostTables) -> Mapping[tuple[UUID, UUID], LeadRow | Cause]:
        leads = [lead for lead, _, _ in claims]
        excluded = await read_excluded_of_organizations(
            connection, tables, [(each.org_id, each.project_id, each.lead_id) for each in leads]
        )
        rows = await read_lead_rows_of_projects(connection, tables, leads)
        skipped = [(project_id, lead_id) for _, project_id, lead_id in excluded]
        return {**rows, **dict.fromkeys(skipped, Cause.EXCLUDED)}

    rows = await host.read(database, read)
    mapped = [MappedLead(lead.org_id, lead.lead_id, mapping) for lead, _, mapping in claims]
    renderers = await read_renderers(database, mappings, mapped)
    found = [
        (claimed, each, rows.get((lead.project_id, lead.lead_id)))
        for (lead, claimed, _), each in zip(claims, mapped, strict=True)
    ]
    return await _build_each(found, clock.now(), renderers)


async def _build_each(
    found: Sequence[tuple[Claimed, MappedLead, LeadResult | None]], pushed_at: datetime, renderers: Renderers
) -> list[Ready | Unsendable]:
    built: list[Ready | Unsendable] = []
    for index, (claimed, lead, row) in enumerate(found, start=1):
        built.append(_build(claimed, lead, row, pushed_at, renderers))
        if index % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    return built


def _build(
    claimed: Claimed, lead: MappedLead, row: LeadResult | None, pushed_at: datetime, renderers: Renderers
) -> Ready | Unsendable:
    if row is None:
        return Unsendable(claimed, Cause.LEAD_GONE)
    if isinstance(row, Cause):
        return Unsendable(claimed, row)
    if isinstance(row, PayloadError):
        return Unsendable(claimed, Cause(row.cause), row.detail)
    try:
        payload = renderers.build(lead, row, claimed.delivery_id, pushed_at)
        return Ready(claimed, add_revision(payload, claimed.delivery_id, claimed.revision))
    except PayloadError as error:
        return Unsendable(claimed, Cause(error.cause), error.detail)


async def _read_leads(
    host: HostTableCache, database: Database, org_id: UUID, project_id: UUID, lead_ids: Sequence[UUID]
) -> dict[UUID, LeadResult]:
    """The exclusions are checked again here: one may be newer than the push, or the lead's address may have changed since."""

    async def read(connection: Connection, tables: HostTables) -> dict[UUID, LeadResult]:
        excluded = await read_excluded(connection, tables, org_id, lead_ids, project_id)
        rows = await read_lead_rows(connection, tables, org_id, project_id, lead_ids)
        return {**rows, **dict.fromkeys(excluded, Cause.EXCLUDED)}

    try:
        return await host.read(database, read)
    except (*UNAVAILABLE, *VALUE_ERRORS) as error:
        if len(lead_ids) == 1:
            if not is_about_the_data(error):
                raise
            return {
                lead_ids[0]: PayloadError(PayloadProblem.INVALID_LEAD, "The lead holds a value that cannot be read.")
            }
    # The driver cannot decode a value of some row (a date out of Python's range, for example): read the rows one by one.
    found: dict[UUID, LeadResult] = {}
    for lead_id in lead_ids:
        found.update(await _read_leads(host, database, org_id, project_id, [lead_id]))
    return found
