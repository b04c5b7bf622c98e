"""Compares the encryption keys of this process with the keys that stored webhooks, tokens and API keys are sealed with.

One statement reads the first bytes of the sealed values; none is decrypted (`clay-push doctor` decrypts them all).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import VERSION, SecretBox
from clay_push_service.ops.advice import Advice, Level, counted


class _HeaderCount(NamedTuple):
    header: bytes | None
    destinations: int
    in_use: int


# A value that does not begin with a known version and a length has no header. An organization has one destination.
SEALED = Statement(
    """
WITH sealed AS (
    SELECT version.org_id, destination.id IS NOT NULL AS in_use, each.value
    FROM clay.destination_versions AS version
    LEFT JOIN clay.destinations AS destination
      ON destination.org_id = version.org_id AND destination.version_id = version.id
    CROSS JOIN LATERAL (VALUES (version.sealed_url), (version.sealed_token)) AS each (value)
    UNION ALL
    SELECT pending.org_id, false, each.value FROM clay.pending_webhooks AS pending
    CROSS JOIN LATERAL (VALUES (pending.sealed_url), (pending.sealed_token)) AS each (value)
    UNION ALL SELECT org_id, true, sealed_api_key FROM clay.enrichment_settings
    UNION ALL SELECT org_id, false, sealed_api_key FROM clay.pending_api_keys)
SELECT CASE WHEN octet_length(value) < 2 THEN NULL
            WHEN get_byte(value, 0) <> :version THEN NULL
            ELSE substring(value FROM 1 FOR 2 + get_byte(value, 1)) END AS header,
       count(DISTINCT org_id) AS destinations, count(DISTINCT org_id) FILTER (WHERE in_use) AS in_use
FROM sealed WHERE value IS NOT NULL GROUP BY 1 ORDER BY 1
""",
    _HeaderCount,
)


@dataclass(frozen=True, slots=True)
class SealedWith:
    """One key and the number of destinations with values sealed by it. `key_id` None: the format of the values is unknown."""

    key_id: str | None
    destinations: int
    in_use: int
    """Destinations whose current webhook or token it sealed. The others are earlier versions and pending changes."""


@dataclass(frozen=True, slots=True)
class RingCheck:
    """`ring` None: this process has no keys, so nothing can be checked."""

    ring: Sequence[str] | None
    sealed: Sequence[SealedWith]

    @property
    def is_checked(self) -> bool:
        return self.ring is not None

    @property
    def missing(self) -> Sequence[SealedWith]:
        """Keys that stored values need and this process lacks."""
        return [] if self.ring is None else [each for each in self.sealed if self.has(each) is False]

    def has(self, each: SealedWith) -> bool | None:
        """Whether this process has the key; None: unknown."""
        return None if self.ring is None or each.key_id is None else each.key_id in self.ring


async def check_ring(connection: AsyncConnection, box: SecretBox | None) -> RingCheck:
    found: dict[str | None, SealedWith] = {}
    for row in await SEALED.rows(connection, {"version": VERSION}):
        key_id = None if row.header is None else SecretBox.key_id_of_header(row.header)
        # Truncated headers share one entry; an organization with two of them counts twice.
        before = found.get(key_id, SealedWith(key_id, 0, 0))
        found[key_id] = SealedWith(key_id, before.destinations + row.destinations, before.in_use + row.in_use)
    return RingCheck(None if box is None else box.key_ids, list(found.values()))


def ring_advice(check: RingCheck) -> Sequence[Advice]:
    return [
        *(_missing_key_advice(each) for each in check.missing),
        *(_unknown_format_advice(each) for each in check.sealed if not each.key_id),
    ]


def _missing_key_advice(each: SealedWith) -> Advice:
    earlier = each.destinations - each.in_use
    if each.in_use:
        concerned = counted(each.in_use, "destination in use is", "destinations in use are")
        more = f"; {earlier:,} more in earlier versions or pending changes" if earlier else ""
    else:
        has = counted(earlier, "destination has", "destinations have")
        concerned, more = f"{has} earlier versions or pending changes", ""
    what = f"{concerned} sealed with a missing encryption key: `{each.key_id}`{more}."
    return Advice(
        Level.FAILING if each.in_use else Level.DEGRADED,
        what,
        "Put the key back into CLAY_PUSH_ENCRYPTION_KEYS, behind the first one, in every web and worker process, and restart"
        " them. If the key is lost, the organizations must save their webhook URLs again.",
    )


def _unknown_format_advice(each: SealedWith) -> Advice:
    return Advice(
        Level.DEGRADED,
        f"{counted(each.destinations, 'destination has', 'destinations have')} stored secrets in a format that this release"
        " cannot read.",
        "A newer release wrote them, or they were altered. Run the newer release, or ask the organizations to save their webhook"
        " URLs again. `clay-push doctor` decrypts every value.",
    )
