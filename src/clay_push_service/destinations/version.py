"""Reads one version of a destination: the webhook a push job was accepted for, and whether it can be sent to now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.states import DestinationState

READ = text("""
SELECT version.id, version.org_id, version.sealed_url, version.sealed_token, version.state, version.state_reason,
       version.state_since, version.probe_at, destination.rate_limit_ms, clock_timestamp() AS now
FROM clay.destination_versions AS version
JOIN clay.destinations AS destination ON destination.id = version.destination_id
WHERE version.org_id = :org_id AND version.id = :version_id
""")
# Whoever moves probe_at has the probe; nobody else sends meanwhile.
TAKE_PROBE = text("""
UPDATE clay.destination_versions SET probe_at = now() + :probe_seconds * interval '1 second'
WHERE id = :version_id AND state = 'waiting' AND probe_at <= now()
RETURNING id
""")
CLOSE = text("""
UPDATE clay.destination_versions SET state = 'closed', state_reason = :reason, state_since = now(), probe_at = NULL
WHERE id = :version_id AND state <> 'closed'
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
    rate_limit_ms: int
    now: datetime
    """The database's clock at the reading."""


async def read_version(connection: AsyncConnection, org_id: UUID, version_id: UUID) -> Version | None:
    row = (await connection.execute(READ, {"org_id": org_id, "version_id": version_id})).one_or_none()
    if row is None:
        return None
    return Version(
        row.id, row.org_id, row.sealed_url, row.sealed_token, DestinationState(row.state), row.state_reason,
        row.state_since, row.probe_at, row.rate_limit_ms, row.now,
    )  # fmt: skip


async def take_probe(connection: AsyncConnection, version_id: UUID, probe_seconds: float) -> bool:
    """True for one worker every `probe_seconds` while the destination waits out an outage."""
    values = {"version_id": version_id, "probe_seconds": probe_seconds}
    return (await connection.execute(TAKE_PROBE, values)).one_or_none() is not None


async def close_version(connection: AsyncConnection, version_id: UUID, reason: str) -> None:
    """Nothing is sent to it any more, until its config is changed or a test of it is good."""
    await connection.execute(CLOSE, {"version_id": version_id, "reason": reason})
