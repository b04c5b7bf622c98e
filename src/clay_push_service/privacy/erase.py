"""Erases leads by id: stops queued deliveries, empties every copy of their data in schema clay, keeps a salted hash.

Clay has no API that deletes a row; the receipt (see `receipt`) lists the rows to delete by hand.

The log keeps its rows, the only record of what Clay accepted and billed, without the lead's identity: the lead's id is
replaced by a reference derived from the salted hash, the same in all its rows, so that counters, receipt and the rule
"one live delivery per lead" still hold. The original id is not needed to prevent duplicates: an erased lead is not pushed again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.clay.cause import EXPLANATIONS, MAYBE_SENT, Cause
from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.end_queued import StoppedDelivery, count_stopped
from clay_push_service.deliveries.suppression import ensure_salt
from clay_push_service.enrichment.inbound.results import erase_results
from clay_push_service.enrichment.ledger.erase import replace_leads, stop_items
from clay_push_service.enrichment.settings.table import lock_existing_settings
from clay_push_service.enrichment.values import store
from clay_push_service.enrichment.values.erase import delete_values
from clay_push_service.enrichment.write_back.writes import erase_writes
from clay_push_service.host.tables import HostTables
from clay_push_service.privacy import stored_filters
from clay_push_service.privacy.segment_filters import empty_segments
from clay_push_service.push_jobs import idempotency
from clay_push_service.routing.exclusions import erase_exclusions
from clay_push_service.schedules.erase import lock_schedules

MAX_LEADS = 1_000
"""Most leads per request: an erasure blocks the organization's new pushes for some milliseconds per lead."""

# FOR UPDATE waits for pushes that are being accepted (they hold FOR KEY SHARE); later pushes see the new hashes.
LOCK = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR UPDATE")
CREATE = Statement("""
INSERT INTO clay.erasures (id, org_id, actor, lead_references, stopped_count, emptied_count)
VALUES (:id, :org_id, :actor, CAST(:lead_references AS uuid[]), :stopped, :emptied)
""")
STORE_HASHES = Statement("""
INSERT INTO clay.erased_leads (org_id, hash, reference, erasure_id)
SELECT :org_id, person.hash, person.reference, :id
FROM unnest(CAST(:hashes AS bytea[]), CAST(:lead_references AS uuid[])) AS person (hash, reference)
ON CONFLICT (org_id, hash) DO NOTHING
""")
# Jobs whose rows change below; all are locked before any delivery (see `deliveries.counters`).
READ_JOBS = Statement(
    """
SELECT DISTINCT job_id FROM clay.clay_push_log
WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[]))
""",
    UUID,
)
# Locks in the order of ids, as every statement on several deliveries does, to prevent deadlocks. In-flight deliveries finish normally.
STOP = Statement(
    """
WITH queued AS (
    SELECT id FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[])) AND state IN ('waiting', 'claimed')
    ORDER BY id FOR UPDATE)
UPDATE clay.clay_push_log AS delivery
SET status = 'skipped', state = 'done', cause = 'erased', claim_token = NULL, lease_until = NULL, finished_at = now(),
    error_message = CAST(:message AS text)
        || CASE WHEN uncertain_attempts > 0 THEN ' ' || CAST(:maybe_sent AS text) ELSE '' END
FROM queued WHERE delivery.id = queued.id
RETURNING delivery.job_id, delivery.uncertain_attempts > 0 AS is_unsure
""",
    StoppedDelivery,
)
EMPTY = Statement("""
UPDATE clay.clay_push_log AS delivery
SET contributor_id = person.reference, username = NULL, full_name = NULL, payload_hash = NULL,
    error_message = CASE WHEN delivery.cause = 'erased' THEN delivery.error_message END
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:lead_references AS uuid[])) AS person (lead_id, reference)
WHERE delivery.org_id = :org_id AND delivery.contributor_id = person.lead_id
""")
# This organization only: another organization erases the same lead itself. The host's metadata may contain anything; only the keys
# that a push needs are kept. An end message may contain lead ids.
EMPTY_INBOX = Statement("""
UPDATE clay.inbox
SET metadata = (
        SELECT coalesce(jsonb_object_agg(key, CASE WHEN key <> 'lead_ids' OR jsonb_typeof(value) <> 'array' THEN value ELSE (
            SELECT coalesce(jsonb_agg(lead), '[]') FROM jsonb_array_elements(value) AS lead
            WHERE lower(lead #>> '{}') <> ALL(CAST(:lead_ids AS text[]))) END), '{}')
        FROM jsonb_each(CASE jsonb_typeof(metadata) WHEN 'object' THEN metadata ELSE '{}' END)
        WHERE key IN ('lead_ids', 'project_id', 'org_id', 'push_mode')),
    end_message = CASE WHEN NOT EXISTS (SELECT 1 FROM unnest(CAST(:lead_ids AS text[])) AS id
                                        WHERE strpos(lower(end_message), id) > 0) THEN end_message END
WHERE coalesce(coalesce(CAST(project_id AS text), metadata ->> 'project_id') = ANY(CAST(:projects AS text[])),
               metadata ->> 'org_id' = :org)
""")


@dataclass(frozen=True, slots=True)
class ErasedId:
    """A lead to erase. `reference` replaces its id in the log."""

    lead_id: UUID
    hash: bytes
    reference: UUID

    @classmethod
    def of(cls, salt: bytes, lead_id: UUID) -> "ErasedId":
        digest = hashlib.sha256(salt + lead_id.bytes).digest()
        return cls(lead_id, digest, UUID(bytes=digest[:16], version=5))


async def erase(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    lead_ids: Sequence[UUID],
    former_values: Sequence[str] | None = None,
) -> tuple[UUID, list[ErasedId]]:
    """Returns the erasure's id and the reference of each lead. Erasing a lead again, or an unknown one, is not an error.

    `former_values`: e-mail addresses, names, user names and companies that stored filters may contain; not stored.
    None: unknown, so every stored search of the organization is emptied.

    NexusLeads erases its own rows; ids are accepted whether or not they still exist there.
    """
    ids = sorted(set(lead_ids))
    await store.lock(connection, org_id)  # before every other lock, as the worker does that applies results
    # Waits for enrichment requests that are being accepted, so that their items are found; later ones see the new hashes.
    await lock_existing_settings(connection, org_id)
    await erase_results(connection, org_id, ids)
    items = await stop_items(connection, org_id, ids)
    await _empty_inbox(
        connection, tables, org_id, ids
    )  # before the destination: the inbox locks in the same order, which prevents deadlocks
    await lock_schedules(connection, org_id)  # before the destination, as the sweep that runs them
    await LOCK.execute(connection, {"org_id": org_id})
    salt = await ensure_salt(connection, org_id)
    erased = [ErasedId.of(salt, lead_id) for lead_id in ids]
    references = [each.reference for each in erased]
    lead_job_ids = set(await READ_JOBS.rows(connection, {"org_id": org_id, "lead_ids": ids}))
    found = await stored_filters.find(connection, tables, org_id, ids, lead_job_ids, former_values)
    await counters.lock_jobs(connection, lead_job_ids | found.jobs)
    await stored_filters.empty(connection, org_id, found)
    stopped = await _stop(connection, org_id, ids)
    emptied = await EMPTY.execute(connection, {"org_id": org_id, "lead_ids": ids, "lead_references": references})
    await empty_segments(connection, tables, org_id, ids, former_values or ())
    await erase_exclusions(connection, tables, org_id, {each.lead_id: each.reference for each in erased})
    values = await delete_values(connection, org_id, ids)
    await replace_leads(connection, org_id, ids, references)
    await erase_writes(connection, org_id, ids)
    await idempotency.hide_keys(connection, org_id)
    erasure_id = uuid4()
    erasure = {"id": erasure_id, "org_id": org_id, "lead_references": references}
    await CREATE.execute(connection, {**erasure, "actor": actor, "stopped": stopped, "emptied": emptied})
    await STORE_HASHES.execute(connection, {**erasure, "hashes": [each.hash for each in erased]})
    details: dict[str, Detail] = {
        "erasure_id": str(erasure_id), "leads": len(erased), "stopped": stopped, "emptied": emptied,
        "values": values, "enrichment_items": items,
    }  # fmt: skip
    await audit(connection, org_id, actor, "leads.erased", details)
    return erasure_id, erased


async def _empty_inbox(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]) -> None:
    projects = tables.projects.c
    project_ids = await select_rows(connection, select(projects.id).where(projects.org_id == org_id), UUID)
    values = {
        "lead_ids": [str(each) for each in lead_ids],
        "projects": [str(each) for each in project_ids],
        "org": str(org_id),
    }
    await EMPTY_INBOX.execute(connection, values)


async def _stop(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> int:
    """Marks queued deliveries as skipped, which is not a failure. Returns their number."""
    values = {"org_id": org_id, "lead_ids": list(lead_ids), "message": EXPLANATIONS[Cause.ERASED].message}
    values["maybe_sent"] = MAYBE_SENT
    stopped = await STOP.rows(connection, values)
    await count_stopped(connection, stopped, Cause.ERASED)
    return len(stopped)
