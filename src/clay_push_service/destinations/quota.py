"""Counts the submissions of each webhook's lifetime: one meter per organization and URL, for all versions of the webhook.

Every statement that changes `clay.quota_meters` is here, apart from `state.COUNT_ACCEPTED`, which counts and stores health at
once. A meter is locked after versions, and several in the order of their ids; a transaction that holds one locks no more rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.destinations.secret_box import mask
from clay_push_service.destinations.url_fingerprint import fingerprint, is_salted_of

# Meters are locked in the order of their ids: LATERAL with a lock looks up one meter after the other.
ADD = """
WITH spent AS MATERIALIZED ({spent} ORDER BY 1),
locked AS MATERIALIZED (
    SELECT spent.id, spent.posts FROM spent CROSS JOIN LATERAL (
        SELECT id FROM clay.quota_meters WHERE id = spent.id FOR NO KEY UPDATE) AS held)
UPDATE clay.quota_meters AS meter SET used = used + locked.posts
FROM locked WHERE meter.id = locked.id
"""
ADD_BY_VERSION = Statement(
    ADD.format(
        spent="""
    SELECT version.meter_id AS id, sum(counted.posts) AS posts
    FROM unnest(CAST(:ids AS uuid[]), CAST(:posts AS integer[])) AS counted (version_id, posts)
    JOIN clay.destination_versions AS version ON version.id = counted.version_id GROUP BY 1"""
    )
)
ADD_BY_JOB = Statement(
    ADD.format(
        spent="""
    SELECT version.meter_id AS id, sum(counted.posts) AS posts
    FROM unnest(CAST(:ids AS uuid[]), CAST(:posts AS integer[])) AS counted (job_id, posts)
    JOIN clay.push_jobs AS job ON job.id = counted.job_id
    JOIN clay.destination_versions AS version ON version.id = job.destination_version_id GROUP BY 1"""
    )
)


@dataclass(frozen=True, slots=True)
class Meter:
    """`limit` is None for tables that delete their rows."""

    id: UUID
    used: int
    limit: int | None


FIND = Statement(
    """
SELECT id, used, quota_limit AS limit FROM clay.quota_meters WHERE org_id = :org_id AND url_fingerprint = :fingerprint
""",
    Meter,
)


class _OlderMeter(NamedTuple):
    """A meter without a fingerprint, and one version that counts on it."""

    id: UUID
    used: int
    limit: int | None
    version_fingerprint: bytes | None
    url_mask: str

    def is_of(self, url: str) -> bool:
        """A version from before fingerprints were stored is recognized by the end of the URL that its mask shows."""
        if self.version_fingerprint is not None:
            return is_salted_of(url, self.version_fingerprint)
        return not self.url_mask.endswith("•") and self.url_mask == mask(url)


OLDER = Statement(
    """
SELECT meter.id, meter.used, meter.quota_limit AS limit, version.url_fingerprint AS version_fingerprint, version.url_mask
FROM clay.quota_meters AS meter
JOIN clay.destination_versions AS version ON version.org_id = meter.org_id AND version.meter_id = meter.id
WHERE meter.org_id = :org_id AND meter.url_fingerprint IS NULL ORDER BY meter.used DESC, version.number DESC
""",
    _OlderMeter,
)
ADOPT = Statement("""
UPDATE clay.quota_meters SET url_fingerprint = :fingerprint
WHERE org_id = :org_id AND id = :id AND url_fingerprint IS NULL AND NOT EXISTS (
    SELECT 1 FROM clay.quota_meters WHERE org_id = :org_id AND url_fingerprint = :fingerprint)
""")
# A web process of a release before 0010 gives a version that it saves a meter of its own, also for a URL that has one.
MERGE = Statement("""
WITH kept AS (
    SELECT id FROM clay.quota_meters WHERE org_id = :org_id AND url_fingerprint = :fingerprint AND id <> :id FOR NO KEY UPDATE),
moved AS (
    UPDATE clay.destination_versions AS version SET meter_id = kept.id FROM kept
    WHERE version.org_id = :org_id AND version.meter_id = :id RETURNING version.id),
emptied AS (
    SELECT used FROM clay.quota_meters WHERE org_id = :org_id AND id = :id)
UPDATE clay.quota_meters AS meter
SET used = CASE WHEN meter.id = kept.id THEN meter.used + emptied.used ELSE 0 END
FROM kept, emptied WHERE meter.org_id = :org_id AND meter.id IN (kept.id, :id)
""")
CREATE = Statement(
    """
INSERT INTO clay.quota_meters (org_id, url_fingerprint, used, quota_limit)
VALUES (:org_id, :fingerprint, :used, :quota_limit) RETURNING id
""",
    UUID,
)
# Omitted values are unchanged: the worker counts on meanwhile, and a count that was read before would take its counts back.
SET = Statement("""
UPDATE clay.quota_meters
SET used = coalesce(CAST(:used AS integer), used),
    quota_limit = CASE WHEN :sets_limit THEN CAST(:quota_limit AS integer) ELSE quota_limit END
WHERE org_id = :org_id AND id = :id
""")


async def add_submissions(connection: Connection, posts: Mapping[UUID, int]) -> None:
    """Add submissions, by the version of the destination that received them."""
    await _add(connection, ADD_BY_VERSION, posts)


async def add_submissions_of_jobs(connection: Connection, posts: Mapping[UUID, int]) -> None:
    """Add submissions, by push job."""
    await _add(connection, ADD_BY_JOB, posts)


async def _add(connection: Connection, statement: Statement[None], posts: Mapping[UUID, int]) -> None:
    counted = {key: number for key, number in posts.items() if number}
    if counted:
        await statement.execute(connection, {"ids": list(counted), "posts": list(counted.values())})


async def find_meter(connection: Connection, org_id: UUID, url: str) -> Meter | None:
    """The meter of a URL that the organization had before. The caller holds the lock of the organization's destination."""
    key = fingerprint(org_id, url)
    found = await FIND.one_or_none(connection, {"org_id": org_id, "fingerprint": key})
    if found is not None:
        return found
    for older in await OLDER.rows(connection, {"org_id": org_id}):
        if older.is_of(url):
            await adopt(connection, org_id, older.id, url)
            return Meter(older.id, older.used, older.limit)
    return None


async def adopt(connection: Connection, org_id: UUID, meter_id: UUID, url: str) -> None:
    """Record the URL of a meter that has none, or merge the meter into the one that the URL has already.

    A meter has no URL if migration 0010 or a release before it created it.
    """
    values = {"org_id": org_id, "id": meter_id, "fingerprint": fingerprint(org_id, url)}
    await ADOPT.execute(connection, values)
    await MERGE.execute(connection, values)


async def create_meter(connection: Connection, org_id: UUID, url: str, used: int, limit: int | None) -> UUID:
    values = {"org_id": org_id, "fingerprint": fingerprint(org_id, url), "used": used, "quota_limit": limit}
    return await CREATE.one(connection, values)


async def set_meter(
    connection: Connection, org_id: UUID, meter_id: UUID, *, used: int | None, limit: int | None, sets_limit: bool
) -> None:
    """Store counts that a person entered. `used` None leaves that count unchanged."""
    await SET.execute(
        connection, {"org_id": org_id, "id": meter_id, "used": used, "quota_limit": limit, "sets_limit": sets_limit}
    )
