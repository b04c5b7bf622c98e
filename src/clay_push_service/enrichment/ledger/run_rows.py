"""SQL of runs: the only module that changes `clay.enrichment_runs`."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

KEPT_FOR = timedelta(hours=24)
"""Clay keeps results for about a day."""


class _RunRow(NamedTuple):
    id: UUID
    org_id: UUID
    kind: str
    routine_id: str
    outputs: str
    clay_run_id: str | None
    state: str
    polls: int
    started_at: datetime
    complete_at: datetime | None
    expires_at: datetime


class Run(NamedTuple):
    id: UUID
    org_id: UUID
    kind: str
    routine_id: str
    outputs: Mapping[str, str]
    clay_run_id: str | None
    state: str
    polls: int
    started_at: datetime
    complete_at: datetime | None
    expires_at: datetime


COLUMNS = """id, org_id, kind, routine_id, CAST(outputs AS text) AS outputs, clay_run_id, state, polls, started_at, complete_at,
       expires_at"""
CREATE = Statement("""
INSERT INTO clay.enrichment_runs (id, org_id, kind, routine_id, outputs, claim_token, lease_until, expires_at)
VALUES (:id, :org_id, :kind, :routine_id, CAST(:outputs AS jsonb), :token, now() + CAST(:lease AS interval),
        now() + CAST(:kept_for AS interval))
""")
LOCK = Statement(
    f"SELECT {COLUMNS} FROM clay.enrichment_runs WHERE org_id = :org_id AND id = :id FOR NO KEY UPDATE", _RunRow
)
# Also for a run that is held: its response was recorded late, or its results named our items.
RUNNING = Statement("""
UPDATE clay.enrichment_runs
SET state = 'running', clay_run_id = :clay_run_id, next_poll_at = now() + CAST(:delay AS interval), claim_token = NULL,
    lease_until = NULL
WHERE org_id = :org_id AND id = :id AND state IN ('starting', 'held')
""")
HOLD = Statement("""
UPDATE clay.enrichment_runs SET state = 'held', claim_token = NULL, lease_until = NULL
WHERE org_id = :org_id AND id = :id AND state = 'starting'
""")
END = Statement("""
UPDATE clay.enrichment_runs
SET state = 'ended', cause = :cause, finished_at = now(), claim_token = NULL, lease_until = NULL
WHERE org_id = :org_id AND id = :id AND state <> 'ended'
""")
END_WITHOUT_ITEMS = Statement("""
UPDATE clay.enrichment_runs AS run
SET state = 'ended', finished_at = now(), claim_token = NULL, lease_until = NULL
WHERE run.org_id = :org_id AND run.state IN ('running', 'held') AND run.id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
    SELECT 1 FROM clay.enrichment_items AS item WHERE item.org_id = run.org_id AND item.run_id = run.id AND item.state <> 'done')
""")
# `greatest` ignores nulls: without HAVING, no run would be a run that is due.
NEXT_POLL = Statement(
    """
SELECT greatest(min(greatest(next_poll_at, lease_until)) - clock_timestamp(), interval '0') AS wait
FROM clay.enrichment_runs WHERE org_id = :org_id AND state = 'running' HAVING count(*) > 0
""",
    timedelta,
)
CLAIM_DUE = Statement(
    f"""
UPDATE clay.enrichment_runs SET claim_token = :token, lease_until = now() + CAST(:lease AS interval)
WHERE org_id = :org_id AND id = (
    SELECT id FROM clay.enrichment_runs
    WHERE org_id = :org_id AND state = 'running' AND next_poll_at <= now() AND (lease_until IS NULL OR lease_until < now())
    ORDER BY next_poll_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING {COLUMNS}
""",
    _RunRow,
)
# Fenced by the token: a worker that was suspended does not move a poll that another one has made since.
POLLED = Statement("""
UPDATE clay.enrichment_runs
SET next_poll_at = now() + CAST(:delay AS interval), polls = polls + 1, claim_token = NULL, lease_until = NULL,
    complete_at = CASE WHEN :is_complete THEN coalesce(complete_at, now()) ELSE complete_at END
WHERE org_id = :org_id AND id = :id AND claim_token = :token AND state = 'running'
""")
POLL_NOW = Statement("""
UPDATE clay.enrichment_runs SET next_poll_at = least(next_poll_at, now())
WHERE org_id = :org_id AND clay_run_id = :clay_run_id AND state = 'running'
""")


async def create_run(
    connection: AsyncConnection,
    org_id: UUID,
    run_id: UUID,
    *,
    kind: str,
    routine_id: str,
    outputs: Mapping[str, str],
    token: UUID,
    lease: timedelta,
) -> None:
    """Inserts a run in state `starting`. Commit it before any byte is sent."""
    values = {
        "id": run_id, "org_id": org_id, "kind": kind, "routine_id": routine_id, "outputs": json.dumps(dict(outputs)),
        "token": token, "lease": lease, "kept_for": KEPT_FOR,
    }  # fmt: skip
    await CREATE.execute(connection, values)


async def lock_run(connection: AsyncConnection, org_id: UUID, run_id: UUID) -> Run | None:
    row = await LOCK.one_or_none(connection, {"org_id": org_id, "id": run_id})
    return None if row is None else _run(row)


async def set_running(
    connection: AsyncConnection, org_id: UUID, run_id: UUID, clay_run_id: str, delay: timedelta
) -> bool:
    """Returns False for a run that is neither starting nor held."""
    values = {"org_id": org_id, "id": run_id, "clay_run_id": clay_run_id, "delay": delay}
    return await RUNNING.execute(connection, values) > 0


async def hold_run(connection: AsyncConnection, org_id: UUID, run_id: UUID) -> bool:
    """Holds a run, or ends it if no item is left: an erasure ends items while the start is in flight."""
    is_held = await HOLD.execute(connection, {"org_id": org_id, "id": run_id}) > 0
    await end_runs_without_items(connection, org_id, [run_id])
    return is_held


async def end_run(connection: AsyncConnection, org_id: UUID, run_id: UUID, cause: str | None) -> None:
    await END.execute(connection, {"org_id": org_id, "id": run_id, "cause": cause})


async def end_runs_without_items(connection: AsyncConnection, org_id: UUID, run_ids: Iterable[UUID]) -> None:
    """End those of the runs of which every item has ended."""
    await END_WITHOUT_ITEMS.execute(connection, {"org_id": org_id, "ids": sorted(run_ids)})


async def next_poll(connection: AsyncConnection, org_id: UUID) -> timedelta | None:
    """The time until the next poll of a running run; None: no run is running."""
    return await NEXT_POLL.one_or_none(connection, {"org_id": org_id})


async def claim_due(connection: AsyncConnection, org_id: UUID, token: UUID, lease: timedelta) -> Run | None:
    """Claim the run whose poll is due the longest."""
    row = await CLAIM_DUE.one_or_none(connection, {"org_id": org_id, "token": token, "lease": lease})
    return None if row is None else _run(row)


async def record_poll(
    connection: AsyncConnection, org_id: UUID, run_id: UUID, token: UUID, delay: timedelta, *, is_complete: bool
) -> None:
    values = {"org_id": org_id, "id": run_id, "token": token, "delay": delay, "is_complete": is_complete}
    await POLLED.execute(connection, values)


async def poll_now(connection: AsyncConnection, org_id: UUID, clay_run_id: str) -> bool:
    """Returns whether the organization has a running run with this id."""
    return await POLL_NOW.execute(connection, {"org_id": org_id, "clay_run_id": clay_run_id}) > 0


def _run(row: _RunRow) -> Run:
    return Run(
        row.id, row.org_id, row.kind, row.routine_id, json.loads(row.outputs), row.clay_run_id, row.state, row.polls,
        row.started_at, row.complete_at, row.expires_at,
    )  # fmt: skip
