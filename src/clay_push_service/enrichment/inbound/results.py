"""SQL of stored results: the only module that changes `clay.inbound_results`.

States: stored (committed, not applied), applied, nothing_new (applied before, or without a value), unmatched (in quarantine:
can be applied later), refused (final).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Connection, Statement


class ResultState(StrEnum):
    STORED = "stored"
    APPLIED = "applied"
    NOTHING_NEW = "nothing_new"
    UNMATCHED = "unmatched"
    REFUSED = "refused"


class ResultCause(StrEnum):
    """Why a result is in quarantine or refused."""

    NO_ID = "no_id"
    UNKNOWN_ID = "unknown_id"
    NOT_AN_OBJECT = "not_an_object"
    COLUMN_NOT_PICKED = "column_not_picked"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a cause
    ERROR = "error"
    ERASED = "erased"


class StoreResult(NamedTuple):
    id: UUID
    state: str
    seen_count: int
    is_known: bool


# A body that arrives again is the same row. One that could not be applied is tried again; a body that was emptied is kept again.
# `is_known` is true only for a delivery of the token's own organization.
STORE = Statement(
    """
WITH stored AS (
    INSERT INTO clay.inbound_results AS result (id, org_id, endpoint_id, sealed_body)
    VALUES (:id, :org_id, :endpoint_id, :sealed_body)
    ON CONFLICT (id, org_id) DO UPDATE
    SET last_seen_at = now(), seen_count = result.seen_count + 1,
        state = CASE WHEN result.state = 'unmatched' THEN 'stored' ELSE result.state END,
        cause = CASE WHEN result.state = 'unmatched' THEN NULL ELSE result.cause END,
        sealed_body = CASE WHEN result.state = 'unmatched' THEN coalesce(result.sealed_body, excluded.sealed_body)
                           ELSE result.sealed_body END
    RETURNING result.id, result.state, result.seen_count)
SELECT stored.id, stored.state, stored.seen_count,
       EXISTS (SELECT 1 FROM clay.clay_push_log
               WHERE org_id = :org_id AND id = CAST(:delivery_id AS uuid)) AS is_known
FROM stored
""",
    StoreResult,
)


class WaitingResult(NamedTuple):
    """A stored result that is to be applied."""

    id: UUID
    received_at: datetime
    sealed_body: bytes


class LockedResult(NamedTuple):
    """A result in any state, locked until the transaction ends."""

    id: UUID
    received_at: datetime
    sealed_body: bytes | None
    state: str


class ResultRow(NamedTuple):
    id: UUID
    seq: int
    received_at: datetime
    last_seen_at: datetime
    seen_count: int
    sealed_body: bytes | None
    state: str
    cause: str | None
    delivery_id: UUID | None
    lead_id: UUID | None
    applied_at: datetime | None


ORGANIZATIONS = Statement("SELECT DISTINCT org_id FROM clay.inbound_results WHERE state = 'stored'", UUID)
TAKE = Statement(
    """
SELECT id, received_at, sealed_body FROM clay.inbound_results
WHERE org_id = :org_id AND state = 'stored' ORDER BY seq LIMIT :rows FOR UPDATE SKIP LOCKED
""",
    WaitingResult,
)
# Not SKIP LOCKED: a request waits for the worker.
TAKE_ONE = Statement(
    """
SELECT id, received_at, sealed_body, state FROM clay.inbound_results WHERE org_id = :org_id AND id = :id FOR UPDATE
""",
    LockedResult,
)
# `refused` results keep no body: nothing can be applied from it.
FINISH = Statement("""
UPDATE clay.inbound_results AS result
SET state = done.state, cause = done.cause, delivery_id = done.delivery_id, lead_id = done.lead_id,
    applied_at = CASE WHEN done.state IN ('applied', 'nothing_new') THEN now() END,
    sealed_body = CASE WHEN done.state = 'refused' THEN NULL ELSE result.sealed_body END
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:causes AS text[]), CAST(:delivery_ids AS uuid[]),
            CAST(:lead_ids AS uuid[])) AS done (id, state, cause, delivery_id, lead_id)
WHERE result.org_id = :org_id AND result.id = done.id AND result.state IN ('stored', 'unmatched')
""")
COLUMNS = (
    """id, seq, received_at, last_seen_at, seen_count, sealed_body, state, cause, delivery_id, lead_id, applied_at"""
)
READ = Statement(
    f"""
SELECT {COLUMNS} FROM clay.inbound_results
WHERE org_id = :org_id AND (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:before AS bigint) IS NULL OR seq < :before)
ORDER BY seq DESC LIMIT :limit
""",
    ResultRow,
)
READ_ONE = Statement(f"SELECT {COLUMNS} FROM clay.inbound_results WHERE org_id = :org_id AND id = :id", ResultRow)
# Bodies of results that wait to be applied are never emptied.
EMPTY_OLD = Statement("""
UPDATE clay.inbound_results AS result SET sealed_body = NULL
FROM (SELECT id, org_id FROM clay.inbound_results
      WHERE received_at < now() - :days * interval '1 day' AND sealed_body IS NOT NULL AND state <> 'stored'
      ORDER BY received_at LIMIT :rows FOR UPDATE SKIP LOCKED) AS old
WHERE result.org_id = old.org_id AND result.id = old.id
""")
DELETE_OLD = Statement("""
DELETE FROM clay.inbound_results AS result
USING (SELECT id, org_id FROM clay.inbound_results
       WHERE received_at < now() - :days * interval '1 day' AND state <> 'stored'
       ORDER BY received_at LIMIT :rows FOR UPDATE SKIP LOCKED) AS old
WHERE result.org_id = old.org_id AND result.id = old.id
""")
DELETE_OF_LEADS = Statement("""
DELETE FROM clay.inbound_results WHERE org_id = :org_id
  AND (lead_id = ANY(CAST(:lead_ids AS uuid[])) OR delivery_id IN (
      SELECT id FROM clay.clay_push_log WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[]))))
""")
# Another lead's result, or one in quarantine, can name the person. Results that wait to be applied are checked then.
EMPTY_ALL = Statement("""
UPDATE clay.inbound_results SET sealed_body = NULL WHERE org_id = :org_id AND sealed_body IS NOT NULL AND state <> 'stored'
""")
RESULT_BODY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Finished:
    """The state of a result after an attempt to apply it."""

    id: UUID
    state: ResultState
    cause: ResultCause | None = None
    delivery_id: UUID | None = None
    lead_id: UUID | None = None


def id_of(org_id: UUID, endpoint_id: UUID, body: bytes) -> UUID:
    """Returns the same id for the same body, so that a result that is sent again is stored once."""
    digest = hashlib.sha256(org_id.bytes + endpoint_id.bytes + body).digest()
    return UUID(bytes=digest[:16], version=5)


async def store(
    connection: Connection,
    org_id: UUID,
    endpoint_id: UUID,
    result_id: UUID,
    sealed_body: bytes,
    delivery_id: UUID | None,
) -> StoreResult:
    values = {
        "id": result_id, "org_id": org_id, "endpoint_id": endpoint_id, "sealed_body": sealed_body, "delivery_id": delivery_id,
    }  # fmt: skip
    [stored] = await STORE.rows(connection, values)
    return stored


async def organizations_waiting(connection: Connection) -> list[UUID]:
    """The organizations with results that are not applied."""
    return list(await ORGANIZATIONS.rows(connection))


async def take(connection: Connection, org_id: UUID, rows: int) -> Sequence[WaitingResult]:
    """Locks the oldest results that are not applied, until the transaction ends."""
    return await TAKE.rows(connection, {"org_id": org_id, "rows": rows})


async def finish(connection: AsyncConnection, org_id: UUID, finished: Sequence[Finished]) -> None:
    values = {
        "org_id": org_id,
        "ids": [each.id for each in finished],
        "states": [each.state for each in finished],
        "causes": [each.cause for each in finished],
        "delivery_ids": [each.delivery_id for each in finished],
        "lead_ids": [each.lead_id for each in finished],
    }
    await FINISH.execute(connection, values)


async def empty_old_bodies(connection: AsyncConnection, rows: int) -> int:
    """Empty up to `rows` bodies older than 30 days. Returns their number."""
    return await EMPTY_OLD.execute(connection, {"days": RESULT_BODY_DAYS, "rows": rows})


async def delete_old_results(connection: AsyncConnection, days: int, rows: int) -> int:
    """Delete up to `rows` results older than `days`, and than their bodies. Returns their number."""
    values = {"days": max(days, RESULT_BODY_DAYS), "rows": rows}
    return await DELETE_OLD.execute(connection, values)


async def erase_results(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> None:
    """Delete the results of these leads, and every other body of the organization that is not to be applied.

    Call it before the leads' ids are replaced in the delivery log. The caller holds `values.store.lock`.
    """
    await DELETE_OF_LEADS.execute(connection, {"org_id": org_id, "lead_ids": list(lead_ids)})
    await EMPTY_ALL.execute(connection, {"org_id": org_id})
