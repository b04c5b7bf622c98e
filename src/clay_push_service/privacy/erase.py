"""Erases people by lead id: stops what is queued, empties every copy of ours, keeps a salted hash; it cannot recall a row.

Clay has no API that deletes a row, so what had gone is listed (see `receipt`) for somebody to delete by hand.

The log keeps its rows, which are the only record of what Clay took and billed, but not whose they are: the lead's id is
replaced by a reference made of the salted hash, the same one in all its rows, so that the counters, the receipt and the
"one live delivery a lead" still hold. The id itself is not needed against paying twice: the person is not pushed again.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.clay.cause import EXPLANATIONS, MAYBE_SENT, Cause
from clay_push_service.deliveries import counters as tally
from clay_push_service.host.tables import HostTables
from clay_push_service.privacy import stored_filters
from clay_push_service.push_jobs import idempotency

MAX_LEADS = 1_000
"""In one request: the organization's pushes are not accepted while it runs, some milliseconds a lead."""
SALT_BYTES = 32

# FOR UPDATE waits for pushes that are being accepted (they hold FOR KEY SHARE), and those that come later see our hashes.
LOCK = text("SELECT 1 FROM clay.destinations WHERE org_id = :org_id FOR UPDATE")
MAKE_SALT = text(
    "INSERT INTO clay.erasure_salts (org_id, salt) VALUES (:org_id, :salt) ON CONFLICT (org_id) DO NOTHING"
)
SALT = text("SELECT salt FROM clay.erasure_salts WHERE org_id = :org_id")
CREATE = text("""
INSERT INTO clay.erasures (id, org_id, actor, lead_references, stopped_count, emptied_count)
VALUES (:id, :org_id, :actor, CAST(:lead_references AS uuid[]), :stopped, :emptied)
""")
REMEMBER = text("""
INSERT INTO clay.erased_leads (org_id, hash, reference, erasure_id)
SELECT :org_id, person.hash, person.reference, :id
FROM unnest(CAST(:hashes AS bytea[]), CAST(:lead_references AS uuid[])) AS person (hash, reference)
ON CONFLICT (org_id, hash) DO NOTHING
""")
# Whose rows are changed below; all of them are held before any delivery (see `push_jobs.tally`).
JOBS = text("""
SELECT DISTINCT job_id FROM clay.clay_push_log
WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[]))
""")
# In the order of their ids, as all who touch several deliveries at once should. What is being sent is left to its answer.
STOP = text("""
WITH queued AS (
    SELECT id FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[])) AND state IN ('waiting', 'claimed')
    ORDER BY id FOR UPDATE)
UPDATE clay.clay_push_log AS delivery
SET status = 'skipped', state = 'done', cause = 'erased', claim_token = NULL, lease_until = NULL, finished_at = now(),
    error_message = CAST(:message AS text)
        || CASE WHEN uncertain_attempts > 0 THEN ' ' || CAST(:maybe_sent AS text) ELSE '' END
FROM queued WHERE delivery.id = queued.id
RETURNING delivery.job_id
""")
EMPTY = text("""
UPDATE clay.clay_push_log AS delivery
SET contributor_id = person.reference, username = NULL, full_name = NULL, payload_hash = NULL,
    error_message = CASE WHEN delivery.cause = 'erased' THEN delivery.error_message END
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:lead_references AS uuid[])) AS person (lead_id, reference)
WHERE delivery.org_id = :org_id AND delivery.contributor_id = person.lead_id
""")
# Of this organization only: another one's push of the same person is its own affair, as is its erasure. The host's metadata may
# hold anything; kept is what a push needs. A refusal names ids.
EMPTY_INBOX = text("""
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
class Person:
    """Somebody to be forgotten. `reference` stands for them in the log from now on."""

    lead_id: UUID
    hash: bytes
    reference: UUID

    @classmethod
    def of(cls, salt: bytes, lead_id: UUID) -> "Person":
        digest = hashlib.sha256(salt + lead_id.bytes).digest()
        return cls(lead_id, digest, UUID(bytes=digest[:16], version=5))


async def erase(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    lead_ids: Sequence[UUID],
    former_values: Sequence[str] | None = None,
) -> tuple[UUID, list[Person]]:
    """Returns the erasure's id, and who stands for whom. Erasing twice, or whom we have never seen, is no error.

    `former_values`: e-mail addresses, names, user names and companies that stored filters may name them by; not kept.
    None: they are not known, so every stored search of the organization is emptied.

    NexusLeads' own rows are its own to erase; ids are taken whether or not they are still there.
    """
    ids = sorted(set(lead_ids))
    await _empty_inbox(connection, tables, org_id, ids)  # before the destination: who pushes from it comes the same way
    await connection.execute(LOCK, {"org_id": org_id})
    await connection.execute(MAKE_SALT, {"org_id": org_id, "salt": secrets.token_bytes(SALT_BYTES)})
    salt: bytes = (await connection.execute(SALT, {"org_id": org_id})).scalar_one()
    people = [Person.of(salt, lead_id) for lead_id in ids]
    references = [person.reference for person in people]
    held = set((await connection.execute(JOBS, {"org_id": org_id, "lead_ids": ids})).scalars())
    found = await stored_filters.find(connection, tables, org_id, ids, held, former_values)
    await tally.hold(connection, held | found.jobs)
    await stored_filters.empty(connection, org_id, found)
    stopped = await _stop(connection, org_id, ids)
    emptied = (
        await connection.execute(EMPTY, {"org_id": org_id, "lead_ids": ids, "lead_references": references})
    ).rowcount
    await idempotency.hide(connection, org_id)
    erasure_id = uuid4()
    erasure = {"id": erasure_id, "org_id": org_id, "lead_references": references}
    await connection.execute(CREATE, {**erasure, "actor": actor, "stopped": stopped, "emptied": emptied})
    await connection.execute(REMEMBER, {**erasure, "hashes": [person.hash for person in people]})
    details: dict[str, Detail] = {
        "erasure_id": str(erasure_id), "leads": len(people), "stopped": stopped, "emptied": emptied,
    }  # fmt: skip
    await audit(connection, org_id, actor, "leads.erased", details)
    return erasure_id, people


async def _empty_inbox(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]) -> None:
    projects = tables.projects.c
    ours = (await connection.execute(select(projects.id).where(projects.org_id == org_id))).scalars()
    values = {
        "lead_ids": [str(each) for each in lead_ids],
        "projects": [str(each) for each in ours],
        "org": str(org_id),
    }
    await connection.execute(EMPTY_INBOX, values)


async def _stop(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> int:
    """Skipped, not failed: nothing went wrong."""
    values = {"org_id": org_id, "lead_ids": list(lead_ids), "message": EXPLANATIONS[Cause.ERASED].message}
    values["maybe_sent"] = MAYBE_SENT
    stopped = Counter((await connection.execute(STOP, values)).scalars())
    await tally.add(connection, {job_id: tally.Tally(skipped=count) for job_id, count in stopped.items()})
    return stopped.total()
