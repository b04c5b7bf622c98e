"""Exports everything that the service keeps about one lead, as JSON. Reads only; the caller audits it.

The sections have the names of the tables. What cannot be found by the lead's id or by values known of the lead is not in it: see
`NOT_INCLUDED`. A test compares the sections with every table that mentions a test lead.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from sqlalchemy import Uuid, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.database.clock import NOW
from clay_push_service.database.statement import Statement, select_one, select_rows
from clay_push_service.deliveries.eligibility import erased_reference
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.errors import NotFoundError
from clay_push_service.host.leads import unknown_leads
from clay_push_service.host.tables import HostTables
from clay_push_service.privacy import stored_filters
from clay_push_service.privacy.segment_filters import find_segments
from clay_push_service.routing.exclusion_target import read_address_hashes

NOT_INCLUDED = (
    "NexusLeads' own rows of the lead: export them in NexusLeads.",
    "Rows in Clay: find them by the delivery ids of this export.",
    "Results in quarantine, which name no lead, and idempotency keys, which clients choose: neither can be found by lead.",
)


class _Erased(NamedTuple):
    reference: UUID | None
    """The reference that replaces the lead in the log; None: it was not erased."""


class _StoredRow(NamedTuple):
    """One row as JSON text."""

    row: str


def _section(sql: str) -> Statement[_StoredRow]:
    """Returns the statement of one section. `sql` selects the columns of one table about the lead; its parameters: org_id, lead_id (or its reference), ids."""
    return Statement(f"SELECT CAST(to_jsonb(kept) AS text) AS row FROM ({sql}) AS kept", _StoredRow)


SECTIONS: Mapping[str, Statement[_StoredRow]] = {
    "clay_push_log": _section("""
        SELECT id, seq, job_id, project_id, destination_id, username, full_name, status, state, cause, error_message,
               clay_response_status, attempts, uncertain_attempts, encode(payload_hash, 'hex') AS payload_hash, due_at,
               pushed_at, finished_at, confirmed_at, revision, supersedes
        FROM clay.clay_push_log WHERE org_id = :org_id AND contributor_id = :lead_id ORDER BY seq"""),
    "enriched_values": _section("""
        SELECT id, seq, field, value, value_key, source, provider, email_status, confidence, confidence_basis, observed_at,
               received_at, result_id, created_by
        FROM clay.enriched_values WHERE org_id = :org_id AND lead_id = :lead_id ORDER BY seq"""),
    "enriched_current": _section("""
        SELECT field, value_id, pinned_by, pinned_at, chosen_because
        FROM clay.enriched_current WHERE org_id = :org_id AND lead_id = :lead_id ORDER BY field"""),
    "enrichment_items": _section("""
        SELECT item.id, item.job_id, item.project_id, item.kind, item.way, item.state, item.outcome, item.cause, item.found,
               item.not_found, item.credits, item.actions, item.cost_basis, item.delivery_id, item.started_at, item.created_at,
               item.finished_at, job.created_by, job.legal_basis
        FROM clay.enrichment_items AS item
        JOIN clay.enrichment_jobs AS job ON job.org_id = item.org_id AND job.id = item.job_id
        WHERE item.org_id = :org_id AND item.lead_id = :lead_id ORDER BY item.seq"""),
    "host_writes": _section("""
        SELECT id, field, value_id, value_key, written_at, undone_at, undone_by
        FROM clay.host_writes WHERE org_id = :org_id AND lead_id = :lead_id ORDER BY seq"""),
    "exclusions": _section("""
        SELECT id, kind, lead_id, domain, reason, cardinality(address_hashes) AS address_hash_count, created_by, created_at, erased_at
        FROM clay.exclusions WHERE org_id = :org_id AND (lead_id = :lead_id OR id = ANY(CAST(:exclusion_ids AS uuid[])))
        ORDER BY created_at"""),
    "segments": _section("""
        SELECT id, name, filters, emptied_at, created_by, created_at, updated_by, updated_at
        FROM clay.segments WHERE org_id = :org_id AND id = ANY(CAST(:segment_ids AS uuid[])) ORDER BY created_at"""),
    "inbox": _section("""
        SELECT id, host_job_id, project_id, metadata, end_status, end_message, done_at FROM clay.inbox
        WHERE coalesce(coalesce(CAST(project_id AS text), metadata ->> 'project_id') = ANY(CAST(:projects AS text[])),
                       metadata ->> 'org_id' = CAST(CAST(:org_id AS uuid) AS text))
          AND strpos(lower(concat(metadata, end_message)), CAST(CAST(:lead_id AS uuid) AS text)) > 0
        ORDER BY id"""),
    "push_jobs": _section("""
        SELECT id, push_mode, filters, created_by, created_at FROM clay.push_jobs
        WHERE org_id = :org_id AND id = ANY(CAST(:filter_job_ids AS uuid[])) ORDER BY created_at"""),
    "schedules": _section("""
        SELECT id, name, filters, created_by, created_at FROM clay.schedules
        WHERE org_id = :org_id AND id = ANY(CAST(:schedule_ids AS uuid[])) ORDER BY created_at"""),
    "erased_leads": _section("""
        SELECT reference, erasure_id FROM clay.erased_leads WHERE org_id = :org_id AND reference = :lead_id"""),
}


class _Result(NamedTuple):
    id: UUID
    received_at: datetime
    state: str
    delivery_id: UUID | None
    sealed_body: bytes | None


RESULTS = Statement(
    """
SELECT id, received_at, state, delivery_id, sealed_body FROM clay.inbound_results
WHERE org_id = :org_id AND (lead_id = :lead_id OR delivery_id IN (
    SELECT id FROM clay.clay_push_log WHERE org_id = :org_id AND contributor_id = :lead_id))
ORDER BY seq
""",
    _Result,
)


OF_ADDRESSES = Statement(
    """
SELECT id FROM clay.exclusions
WHERE org_id = :org_id AND lead_id IS NULL AND domain IS NULL AND address_hashes && CAST(:hashes AS bytea[])
""",
    UUID,
)


class ExportBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"lead_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}]}
    )

    lead_id: UUID = Field(description="The lead's contributor id in NexusLeads.")


class PersonExport(BaseModel):
    lead_id: UUID = Field(description="The lead.")
    exported_at: datetime = Field(description="When it was exported.")
    erased: bool = Field(
        description="The lead was erased: only the ledger under its reference is left, without names or values."
    )
    kept: dict[str, list[JsonValue]] = Field(
        description="By table of schema clay, the rows about the lead, oldest first. `inbound_results`: with decrypted bodies."
    )
    not_included: list[str] = Field(description="What this export cannot contain, and where to find it.")


async def export_person(
    connection: AsyncConnection,
    tables: HostTables,
    box: SecretBox | None,
    org_id: UUID,
    actor: str,
    lead_id: UUID,
) -> PersonExport:
    """Exports a lead. The audit log records the export without the lead. Raises 404 `lead_not_found` for a lead that neither NexusLeads nor the service has."""
    erased = select(erased_reference(literal(lead_id, Uuid()), org_id).label("reference"))
    reference = (await select_one(connection, erased, _Erased)).reference
    known_as = lead_id if reference is None else reference
    found = await stored_filters.find(connection, tables, org_id, [lead_id], set(), ())
    segments = await find_segments(connection, tables, org_id, [lead_id], ())
    projects = tables.projects.c
    of_organization = select(projects.id).where(projects.org_id == org_id)
    values = {
        "org_id": org_id,
        "lead_id": known_as,
        "exclusion_ids": [*found.reasons, *await _exclusions_of_addresses(connection, tables, org_id, lead_id)],
        "filter_job_ids": sorted(found.jobs),
        "schedule_ids": sorted({*found.schedules, *found.schedule_names}),
        "segment_ids": [each.id for each in segments],
        "projects": [str(each) for each in await select_rows(connection, of_organization, UUID)],
    }
    kept: dict[str, list[JsonValue]] = {}
    for name, statement in SECTIONS.items():
        kept[name] = [orjson.loads(each.row) for each in await statement.rows(connection, values)]
    rows = await RESULTS.rows(connection, {"org_id": org_id, "lead_id": known_as})
    kept["inbound_results"] = [_result(box, org_id, row) for row in rows]
    if not any(kept.values()) and await unknown_leads(connection, tables, org_id, [lead_id], None):
        raise NotFoundError(
            f"Your organization has no lead with this id: {lead_id}.",
            code="lead_not_found",
            extra={"lead_ids": [str(lead_id)]},
        )
    await audit(connection, org_id, actor, "lead.exported", {"rows": sum(len(each) for each in kept.values())})
    return PersonExport(
        lead_id=lead_id,
        exported_at=await NOW.one(connection),
        erased=reference is not None,
        kept=kept,
        not_included=list(NOT_INCLUDED),
    )


async def _exclusions_of_addresses(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID
) -> Sequence[UUID]:
    """Returns the exclusions of exactly one address that the lead has."""
    hashes = await read_address_hashes(connection, tables, org_id, lead_id)
    return await OF_ADDRESSES.rows(connection, {"org_id": org_id, "hashes": list(hashes)})


def _result(box: SecretBox | None, org_id: UUID, row: _Result) -> JsonValue:
    body: str | None = None
    problem: str | None = None
    if row.sealed_body is not None:
        try:
            body = box.open(row.sealed_body, org_id, row.id) if box else None
            problem = None if box else "The encryption keys are missing, so the body cannot be read."
        except SecretError:
            problem = "The body cannot be decrypted with the current keys."
    return {
        "id": str(row.id),
        "received_at": row.received_at.isoformat(),
        "state": row.state,
        "delivery_id": None if row.delivery_id is None else str(row.delivery_id),
        "body": body,
        "problem": problem,
    }
