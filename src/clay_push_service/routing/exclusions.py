"""Adds, lists, removes and erases the exclusions of an organization. The only module that changes `clay.exclusions`.

`deliveries.suppression` decides which leads an exclusion matches. A new exclusion ends the queued deliveries that it matches, in
the same transaction; deliveries in flight finish, and are not retried.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination
from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.end_queued import skip_queued_of_excluded
from clay_push_service.deliveries.suppression import ensure_salt
from clay_push_service.errors import NotFoundError
from clay_push_service.host.tables import HostTables
from clay_push_service.routing.exclusion_target import ExclusionTarget, read_address_hashes, resolve_target


class ExclusionKind(StrEnum):
    EXCLUSION = "exclusion"
    """The organization's own decision."""
    OPT_OUT = "opt_out"
    """The person objects."""


class Exclusion(NamedTuple):
    id: UUID
    seq: int
    kind: str
    lead_id: UUID | None
    """After an erasure, the reference that replaces the lead."""
    domain: str | None
    segment_id: UUID | None
    """All three null: an e-mail address, of which only hashes are kept."""
    reason: str | None
    created_by: str
    created_at: datetime
    erased_at: datetime | None

    @property
    def of(self) -> str:
        """Returns what it matches: a lead, a domain, a segment or an address."""
        named = {"lead": self.lead_id, "domain": self.domain, "segment": self.segment_id}
        return next((name for name, value in named.items() if value is not None), "address")


COLUMNS = "id, seq, kind, lead_id, domain, segment_id, reason, created_by, created_at, erased_at"
# Waits for pushes that are being accepted, which hold FOR KEY SHARE. Later pushes find the exclusion. An erasure locks in the same way.
LOCK = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR UPDATE")
ADD = Statement(
    f"""
INSERT INTO clay.exclusions (id, org_id, kind, lead_id, domain, ascii_domain, segment_id, address_hashes, reason, created_by)
VALUES (:id, :org_id, :kind, :lead_id, :domain, :ascii_domain, :segment_id, CAST(:address_hashes AS bytea[]), :reason, :created_by)
ON CONFLICT DO NOTHING
RETURNING {COLUMNS}
""",
    Exclusion,
)
FIND = Statement(
    f"""
SELECT {COLUMNS} FROM clay.exclusions
WHERE org_id = :org_id AND (lead_id = CAST(:lead_id AS uuid) OR domain = CAST(:domain AS text)
    OR segment_id = CAST(:segment_id AS uuid)
    OR num_nonnulls(CAST(:lead_id AS uuid), CAST(:domain AS text), CAST(:segment_id AS uuid), lead_id, domain, segment_id) = 0
       AND address_hashes = CAST(:address_hashes AS bytea[]))
""",
    Exclusion,
)
READ = Statement(
    f"""
SELECT {COLUMNS} FROM clay.exclusions
WHERE org_id = :org_id AND (CAST(:kind AS text) IS NULL OR kind = :kind)
  AND (CAST(:before AS bigint) IS NULL OR seq < :before)
ORDER BY seq DESC LIMIT :limit
""",
    Exclusion,
)
REMOVE = Statement(
    f"DELETE FROM clay.exclusions WHERE org_id = :org_id AND id = :id RETURNING {COLUMNS}",
    Exclusion,
)
OF_LEADS = Statement(
    "SELECT lead_id FROM clay.exclusions WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[])) ORDER BY lead_id",
    UUID,
)
ERASE = Statement("""
UPDATE clay.exclusions
SET lead_id = :reference, reason = NULL, erased_at = now(),
    address_hashes = (SELECT coalesce(array_agg(DISTINCT hash), '{}')
                      FROM unnest(address_hashes || CAST(:address_hashes AS bytea[])) AS known (hash))
WHERE org_id = :org_id AND lead_id = :lead_id
""")


class Reason(NamedTuple):
    """The reason of one exclusion, which is free text."""

    id: UUID
    reason: str


REASONS = Statement("SELECT id, reason FROM clay.exclusions WHERE org_id = :org_id AND reason IS NOT NULL", Reason)
EMPTY_REASONS = Statement(
    "UPDATE clay.exclusions SET reason = NULL WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[]))"
)


class AddedExclusion(NamedTuple):
    exclusion: Exclusion
    is_new: bool
    """False: the lead or domain was excluded already, and its exclusion is unchanged."""
    stopped: int
    """Queued deliveries that the exclusion ended."""


async def lock_destinations(connection: AsyncConnection, org_id: UUID) -> None:
    """Waits for pushes that are being accepted. Later pushes see the changes of this transaction."""
    await LOCK.execute(connection, {"org_id": org_id})


async def add_exclusion(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    target: ExclusionTarget,
    kind: ExclusionKind,
    reason: str,
) -> AddedExclusion:
    """Exclude a lead, an e-mail domain, an exact address or a segment.

    Raises 404 `lead_not_found` and `segment_not_found`, and 409 `lead_erased`: an erased lead is never pushed.
    """
    await lock_destinations(connection, org_id)
    await ensure_salt(connection, org_id)
    values = {"org_id": org_id, **await resolve_target(connection, tables, org_id, target)}
    more = {"id": uuid4(), "kind": kind, "reason": reason, "created_by": actor}
    new = await ADD.one_or_none(connection, {**values, **more})
    if new is None:
        return AddedExclusion(await FIND.one(connection, values), is_new=False, stopped=0)
    stopped = await skip_queued_of_excluded(connection, tables, org_id)
    await _audit(connection, org_id, actor, "exclusion.added", new, {"stopped": stopped})
    return AddedExclusion(new, is_new=True, stopped=stopped)


async def list_exclusions(
    connection: AsyncConnection, org_id: UUID, kind: ExclusionKind | None, after: str | None, limit: int
) -> tuple[Sequence[Exclusion], str | None]:
    """Returns a page, newest first, and the cursor of the next one. Raises 400 `cursor_invalid`."""
    before = None
    if after is not None:
        [key] = pagination.decode(after, 1)
        before = pagination.serial(key)
    rows = await READ.rows(connection, {"org_id": org_id, "kind": kind, "before": before, "limit": limit + 1})
    return rows[:limit], pagination.encode(rows[limit - 1].seq) if len(rows) > limit else None


async def read_exclusion_of_lead(connection: AsyncConnection, org_id: UUID, lead_id: UUID) -> Exclusion | None:
    """Reads the exclusion of exactly this lead. Ignores exclusions of its e-mail domain or address."""
    return await FIND.one_or_none(
        connection, {"org_id": org_id, "lead_id": lead_id, "domain": None, "segment_id": None, "address_hashes": ()}
    )


async def remove_exclusion(connection: AsyncConnection, org_id: UUID, actor: str, exclusion_id: UUID) -> None:
    """Removes an exclusion. Its leads may be pushed again. Raises 404 `exclusion_not_found`."""
    removed = await REMOVE.one_or_none(connection, {"org_id": org_id, "id": exclusion_id})
    if removed is None:
        raise NotFoundError("Your organization has no exclusion with this id.", code="exclusion_not_found")
    await _audit(connection, org_id, actor, "exclusion.removed", removed, {})


async def erase_exclusions(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, references: dict[UUID, UUID]
) -> int:
    """Replaces the leads' ids by `references`, removes reasons, and adds hashes of the leads' addresses. Returns the number of exclusions.

    Call it before the leads' values are deleted, because it hashes their addresses.
    """
    found = await OF_LEADS.rows(connection, {"org_id": org_id, "lead_ids": list(references)})
    for lead_id in found:
        hashes = await read_address_hashes(connection, tables, org_id, lead_id)
        values = {"org_id": org_id, "lead_id": lead_id, "reference": references[lead_id], "address_hashes": hashes}
        await ERASE.execute(connection, values)
    return len(found)


async def read_reasons(connection: AsyncConnection, org_id: UUID) -> Sequence[Reason]:
    return await REASONS.rows(connection, {"org_id": org_id})


async def empty_reasons(connection: AsyncConnection, org_id: UUID, ids: Sequence[UUID]) -> None:
    await EMPTY_REASONS.execute(connection, {"org_id": org_id, "ids": list(ids)})


async def _audit(
    connection: AsyncConnection,
    org_id: UUID,
    actor: str,
    action: str,
    exclusion: Exclusion,
    more: dict[str, Detail],
) -> None:
    """Records no lead, domain or address: the audit log is permanent, and a domain may belong to one person."""
    await audit(
        connection, org_id, actor, action,
        {"exclusion_id": str(exclusion.id), "kind": exclusion.kind, "of": exclusion.of, **more},
    )  # fmt: skip
