"""Destination state: every statement that adds, opens, waits, probes, closes or removes a version of a destination.

A version is `open`, `waiting` during an outage of Clay, or `closed`. A test over all SQL of the service keeps these statements here.
Its quota is in `quota`, the pace in `slots`. A version is locked before its quota meter, several versions in the order of their ids.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.states import DestinationState


class StoredHealth(NamedTuple):
    """The state of a locked version and its streaks of refusals and outages."""

    id: UUID
    org_id: UUID
    state: str
    state_reason: str | None
    refusals: int
    outages: int


class _VersionRow(NamedTuple):
    id: UUID
    org_id: UUID
    sealed_url: bytes | None
    sealed_token: bytes | None
    state: str
    state_reason: str | None
    state_since: datetime
    probe_at: datetime | None
    destination_id: UUID
    workspace_id: UUID
    rate_limit_ms: int
    now: datetime


READ = Statement(
    """
SELECT version.id, version.org_id, version.sealed_url, version.sealed_token, version.state, version.state_reason,
       version.state_since, version.probe_at, destination.id AS destination_id, workspace.id AS workspace_id,
       workspace.rate_limit_ms, clock_timestamp() AS now
FROM clay.destination_versions AS version
JOIN clay.destinations AS destination ON destination.org_id = version.org_id AND destination.id = version.destination_id
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
WHERE version.org_id = :org_id AND version.id = :version_id
""",
    _VersionRow,
)
# A new version is open: the defaults of its state columns.
INSERT = Statement(
    """
INSERT INTO clay.destination_versions
    (id, org_id, destination_id, number, sealed_url, sealed_token, url_mask, url_fingerprint, meter_id, source, created_by,
     has_unusual_form, is_internal)
SELECT :id, :org_id, :destination_id, coalesce(max(number), 0) + 1, :sealed_url, :sealed_token, :url_mask, :url_fingerprint,
       :meter_id, :source, :created_by, :has_unusual_form, :is_internal
FROM clay.destination_versions WHERE destination_id = :destination_id
RETURNING number
""",
    int,
)
# This UPDATE elects the one worker that probes; no other worker sends meanwhile.
TAKE_PROBE = Statement("""
UPDATE clay.destination_versions SET probe_at = now() + :probe_seconds * interval '1 second'
WHERE id = :version_id AND state = 'waiting' AND probe_at <= now()
""")
CLOSE = Statement("""
UPDATE clay.destination_versions SET state = 'closed', state_reason = :reason, state_since = now(), probe_at = NULL
WHERE id = :version_id AND state <> 'closed'
""")
REOPEN_SAVED = Statement("""
UPDATE clay.destination_versions
SET state = 'open', state_reason = NULL, refusals = 0, outages = 0, probe_at = NULL, state_since = now()
WHERE org_id = :org_id AND id = :version_id AND state <> 'open' AND sealed_url IS NOT NULL
""")
# A webhook that was removed during its test stays closed.
REOPEN_TESTED = Statement("""
UPDATE clay.destination_versions AS version
SET refusals = 0, outages = 0, probe_at = NULL, state = 'open', state_reason = NULL,
    state_since = CASE WHEN state = 'open' THEN state_since ELSE now() END
WHERE org_id = :org_id AND id = :version_id AND sealed_url IS NOT NULL
""")


class ClosedVersion(NamedTuple):
    """A version that this service closed, locked, with its webhook sealed."""

    id: UUID
    org_id: UUID
    sealed_url: bytes
    sealed_token: bytes | None


LOCK_CLOSED_BY_SERVICE = Statement(
    """
SELECT id, org_id, sealed_url, sealed_token FROM clay.destination_versions
WHERE state = 'closed' AND state_reason IN ('secret_unreadable', 'blocked') AND sealed_url IS NOT NULL
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
""",
    ClosedVersion,
)
REOPEN_REPAIRED = Statement("""
UPDATE clay.destination_versions
SET state = 'open', state_reason = NULL, state_since = now(), refusals = 0, outages = 0 WHERE id = :id
""")
REMOVE = Statement("""
UPDATE clay.destination_versions
SET sealed_url = NULL, sealed_token = NULL, state = 'closed', state_reason = :reason, state_since = now(), probe_at = NULL
WHERE org_id = :org_id AND destination_id = :destination_id AND sealed_url IS NOT NULL
""")
# The usual case: Clay accepted every lead, and the destination is open and stays open. One statement for health and quota.
COUNT_ACCEPTED = Statement("""
WITH healthy AS (
    UPDATE clay.destination_versions SET refusals = 0, outages = 0 WHERE id = :id AND state = 'open' RETURNING meter_id)
UPDATE clay.quota_meters AS meter SET used = used + :posts FROM healthy WHERE meter.id = healthy.meter_id
""")
LOCK_HEALTH = Statement(
    """
SELECT id, org_id, state, state_reason, refusals, outages FROM clay.destination_versions
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""",
    StoredHealth,
)
UPDATE_HEALTH = Statement("""
UPDATE clay.destination_versions
SET refusals = :refusals, outages = :outages, state = :state, state_reason = :reason,
    state_since = CASE WHEN state = :state THEN state_since ELSE now() END,
    probe_at = CASE WHEN :state = 'waiting'
                    THEN coalesce(probe_at, now() + :probe_seconds * interval '1 second') END
WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Version:
    """Sealed as stored; `sealed_url` is None once the webhook was removed."""

    id: UUID
    org_id: UUID
    sealed_url: bytes | None
    sealed_token: bytes | None
    state: DestinationState
    state_reason: str | None
    state_since: datetime
    probe_at: datetime | None
    destination_id: UUID
    workspace_id: UUID
    rate_limit_ms: int
    now: datetime
    """The database's clock when the version was read."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A webhook to store: sealed for `id`, with the meter that counts its submissions."""

    id: UUID
    org_id: UUID
    destination_id: UUID
    sealed_url: bytes
    sealed_token: bytes | None
    url_mask: str
    url_fingerprint: bytes
    meter_id: UUID
    source: str
    created_by: str
    has_unusual_form: bool
    is_internal: bool


async def read_version(connection: AsyncConnection, org_id: UUID, version_id: UUID) -> Version | None:
    row = await READ.one_or_none(connection, {"org_id": org_id, "version_id": version_id})
    if row is None:
        return None
    return Version(
        row.id, row.org_id, row.sealed_url, row.sealed_token, DestinationState(row.state), row.state_reason,
        row.state_since, row.probe_at, row.destination_id, row.workspace_id, row.rate_limit_ms, row.now,
    )  # fmt: skip


async def insert_version(connection: AsyncConnection, version: NewVersion) -> int:
    """Store an open version. Returns its number within the destination."""
    return await INSERT.one(connection, asdict(version))


async def take_probe(connection: AsyncConnection, version_id: UUID, probe_seconds: float) -> bool:
    """True for one worker every `probe_seconds` while the destination waits during an outage."""
    values = {"version_id": version_id, "probe_seconds": probe_seconds}
    return await TAKE_PROBE.execute(connection, values) > 0


async def close_version(connection: AsyncConnection, version_id: UUID, reason: str) -> None:
    """Stop all sending to it, until its settings are saved again or a test of it succeeds."""
    await CLOSE.execute(connection, {"version_id": version_id, "reason": reason})


async def reopen_saved(connection: AsyncConnection, org_id: UUID, version_id: UUID) -> bool:
    """Open a version whose webhook was saved again. Returns False when it was open or has no webhook."""
    return await REOPEN_SAVED.execute(connection, {"org_id": org_id, "version_id": version_id}) > 0


async def reopen_tested(connection: AsyncConnection, org_id: UUID, version_id: UUID) -> None:
    """Open a version whose test succeeded."""
    await REOPEN_TESTED.execute(connection, {"org_id": org_id, "version_id": version_id})


async def lock_closed_by_service(connection: AsyncConnection) -> Sequence[ClosedVersion]:
    """Lock the versions that were closed because their secret was unreadable or their address blocked."""
    return await LOCK_CLOSED_BY_SERVICE.rows(connection)


async def reopen_repaired(connection: AsyncConnection, version_id: UUID) -> None:
    """Open a version that this service closed, once the reason is gone. The caller holds its lock."""
    await REOPEN_REPAIRED.execute(connection, {"id": version_id})


async def remove_versions(connection: AsyncConnection, org_id: UUID, destination_id: UUID, reason: str) -> None:
    """Close every version of the destination and delete its URL and token."""
    await REMOVE.execute(connection, {"org_id": org_id, "destination_id": destination_id, "reason": reason})


async def count_accepted(connection: Connection, version_id: UUID, posts: int) -> bool:
    """Count submissions that Clay accepted and end the version's streaks. Returns False when it is not open: nothing changed."""
    return await COUNT_ACCEPTED.execute(connection, {"id": version_id, "posts": posts}) > 0


async def lock_health(connection: Connection, version_ids: Collection[UUID]) -> Sequence[StoredHealth]:
    """Lock versions in the order of their ids."""
    return await LOCK_HEALTH.rows(connection, {"ids": sorted(version_ids)})


async def update_health(connection: Connection, health: StoredHealth, probe_seconds: float) -> None:
    """Store the state and streaks of a locked version. A version that begins to wait is probed after `probe_seconds`."""
    values = {
        "id": health.id,
        "refusals": health.refusals,
        "outages": health.outages,
        "state": health.state,
        "reason": health.state_reason,
        "probe_seconds": probe_seconds,
    }
    await UPDATE_HEALTH.execute(connection, values)
