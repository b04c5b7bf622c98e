"""SQL of reported runs: the only module that changes `clay.enrichment_run_reports`."""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Connection, Statement

MOST_WAITING = 1000
"""Waiting reports of one organization: a captured event can be sent again, and each needs a valid signature."""


class ReportState(StrEnum):
    WAITING = "waiting"
    """No run has this id yet, and a start of the organization is held or in flight."""
    KNOWN = "known"
    ADOPTED = "adopted"
    UNRELATED = "unrelated"
    """Its results name none of our items: another client started it."""
    EXPIRED = "expired"


class Endpoint(NamedTuple):
    """The settings to which a path belongs."""

    org_id: UUID
    id: UUID
    sealed_webhook_secret: bytes | None


class Report(NamedTuple):
    id: UUID
    clay_run_id: str
    tries: int


ENDPOINT = Statement("SELECT org_id, id, sealed_webhook_secret FROM clay.enrichment_settings WHERE id = :id", Endpoint)
# A repeated event has no effect: the signature has no timestamp, so an event can be replayed.
STORE = Statement("""
INSERT INTO clay.enrichment_run_reports (id, org_id, clay_run_id, state)
SELECT gen_random_uuid(), :org_id, :clay_run_id, :state
WHERE (SELECT count(*) FROM clay.enrichment_run_reports WHERE org_id = :org_id AND state = 'waiting') < :most
ON CONFLICT (org_id, clay_run_id) DO NOTHING
""")
ORGANIZATIONS = Statement(
    """
SELECT DISTINCT report.org_id FROM clay.enrichment_run_reports AS report
WHERE report.state = 'waiting' AND report.next_try_at <= now() AND EXISTS (
    SELECT 1 FROM clay.enrichment_runs AS run
    WHERE run.org_id = report.org_id AND run.state IN ('starting', 'held'))
""",
    UUID,
)
NEXT = Statement(
    """
UPDATE clay.enrichment_run_reports SET tries = tries + 1, next_try_at = now() + CAST(:pause AS interval)
WHERE org_id = :org_id AND id = (
    SELECT id FROM clay.enrichment_run_reports WHERE org_id = :org_id AND state = 'waiting' AND next_try_at <= now()
    ORDER BY received_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id, clay_run_id, tries
""",
    Report,
)
HAS_OPEN_START = Statement(
    "SELECT EXISTS (SELECT 1 FROM clay.enrichment_runs WHERE org_id = :org_id AND state IN ('starting', 'held'))", bool
)
HAS_REPORT = Statement(
    """
SELECT EXISTS (SELECT 1 FROM clay.enrichment_run_reports WHERE org_id = :org_id AND state = 'waiting' AND next_try_at <= now())
   AND EXISTS (SELECT 1 FROM clay.enrichment_runs WHERE org_id = :org_id AND state IN ('starting', 'held'))
""",
    bool,
)
FINISH = Statement("""
UPDATE clay.enrichment_run_reports SET state = :state WHERE org_id = :org_id AND id = :id AND state = 'waiting'
""")
# A report of a run that was started here, but whose start was not recorded yet, waits; without a held start it is of no use.
EXPIRE = Statement("""
UPDATE clay.enrichment_run_reports SET state = 'expired' WHERE state = 'waiting' AND received_at < now() - interval '24 hours'
""")
DELETE_OLD = Statement("""
DELETE FROM clay.enrichment_run_reports WHERE state <> 'waiting' AND received_at < now() - interval '30 days'
""")


async def find_endpoint(connection: Connection, endpoint_id: UUID) -> Endpoint | None:
    return await ENDPOINT.one_or_none(connection, {"id": endpoint_id})


async def store_report(connection: AsyncConnection, org_id: UUID, clay_run_id: str, state: ReportState) -> bool:
    """Returns whether it is new."""
    values = {"org_id": org_id, "clay_run_id": clay_run_id, "state": state, "most": MOST_WAITING}
    return await STORE.execute(connection, values) > 0


async def has_open_start(connection: AsyncConnection, org_id: UUID) -> bool:
    """Whether a start of the organization is held or in flight. A start is committed before it is sent, so its report finds it."""
    return await HAS_OPEN_START.one(connection, {"org_id": org_id})


async def organizations_with_reports(connection: AsyncConnection) -> list[UUID]:
    """Organizations with reports that may belong to a start that is held or in flight."""
    return list(await ORGANIZATIONS.rows(connection))


async def has_report(connection: AsyncConnection, org_id: UUID) -> bool:
    """Whether a report is due that may belong to a start that is held or in flight."""
    return await HAS_REPORT.one(connection, {"org_id": org_id})


async def next_report(connection: AsyncConnection, org_id: UUID, pause: timedelta) -> Report | None:
    """Takes the oldest report that is due. It is due again after `pause`, unless it is finished before."""
    return await NEXT.one_or_none(connection, {"org_id": org_id, "pause": pause})


async def finish_report(connection: AsyncConnection, org_id: UUID, report_id: UUID, state: ReportState) -> None:
    await FINISH.execute(connection, {"org_id": org_id, "id": report_id, "state": state})


async def expire_reports(connection: AsyncConnection) -> None:
    await EXPIRE.execute(connection)
    await DELETE_OLD.execute(connection)
