"""Adds, lists, removes and erases the exclusions of an organization. The only module that changes `clay.exclusions`.

`deliveries.suppression` decides which leads an exclusion matches. A new exclusion ends the queued deliveries that it matches, in
the same transaction; deliveries in flight finish, and are not retried.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Uuid, func, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination
from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement, select_one, select_rows
from clay_push_service.deliveries.eligibility import is_erased
from clay_push_service.deliveries.end_queued import skip_queued_of_excluded
from clay_push_service.deliveries.suppression import VALUES, address_hash, ensure_salt
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.leads import unknown_leads
from clay_push_service.host.tables import HostTables
from clay_push_service.routing.domain import Domain


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
    reason: str | None
    created_by: str
    created_at: datetime
    erased_at: datetime | None


COLUMNS = "id, seq, kind, lead_id, domain, reason, created_by, created_at, erased_at"
# Waits for pushes that are being accepted, which hold FOR KEY SHARE; later pushes find the exclusion. As an erasure does.
LOCK = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR UPDATE")
ADD = Statement(
    f"""
INSERT INTO clay.exclusions (id, org_id, kind, lead_id, domain, ascii_domain, address_hashes, reason, created_by)
VALUES (:id, :org_id, :kind, :lead_id, :domain, :ascii_domain, CAST(:address_hashes AS bytea[]), :reason, :created_by)
ON CONFLICT DO NOTHING
RETURNING {COLUMNS}
""",
    Exclusion,
)
FIND = Statement(
    f"""
SELECT {COLUMNS} FROM clay.exclusions
WHERE org_id = :org_id AND (lead_id = CAST(:lead_id AS uuid) OR domain = CAST(:domain AS text))
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


class Added(NamedTuple):
    exclusion: Exclusion
    is_new: bool
    """False: the lead or domain was excluded already, and its exclusion is unchanged."""
    stopped: int
    """Queued deliveries that the exclusion ended."""


async def add_exclusion(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    target: UUID | Domain,
    kind: ExclusionKind,
    reason: str,
) -> Added:
    """Exclude a lead or an e-mail domain. Raises 404 `lead_not_found`, and 409 `lead_erased`: an erased lead is never pushed."""
    await LOCK.execute(connection, {"org_id": org_id})
    await ensure_salt(connection, org_id)
    lead_id = target if isinstance(target, UUID) else None
    domain = target if isinstance(target, Domain) else None
    hashes: Sequence[bytes] = ()
    if lead_id is not None:
        await _require_lead(connection, tables, org_id, lead_id)
        hashes = await _read_address_hashes(connection, tables, org_id, lead_id)
    values = {
        "org_id": org_id,
        "lead_id": lead_id,
        "domain": domain.name if domain else None,
    }
    new = await ADD.one_or_none(
        connection,
        {
            **values,
            "id": uuid4(),
            "kind": kind,
            "ascii_domain": domain.ascii_name if domain else None,
            "address_hashes": hashes,
            "reason": reason,
            "created_by": actor,
        },
    )
    if new is None:
        return Added(await FIND.one(connection, values), is_new=False, stopped=0)
    stopped = await skip_queued_of_excluded(connection, tables, org_id)
    await _audit(connection, org_id, actor, "exclusion.added", new, {"stopped": stopped})
    return Added(new, is_new=True, stopped=stopped)


async def _require_lead(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> None:
    if await select_one(connection, select(is_erased(literal(lead_id, Uuid()), org_id)), bool):
        raise ConflictError("This lead was erased: it is never pushed or enriched again.", code="lead_erased")
    if await unknown_leads(connection, tables, org_id, [lead_id], None):
        raise NotFoundError(
            f"Your organization has no lead with this id: {lead_id}.",
            code="lead_not_found",
            extra={"lead_ids": [str(lead_id)]},
        )


async def _read_address_hashes(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID
) -> Sequence[bytes]:
    """Hashes of every address known of the lead: NexusLeads' own, and those in its enriched values."""
    lead = tables.leads
    addresses = union(
        select(lead.c.email.label("address")).where(lead.c.id == lead_id, func.btrim(lead.c.email) != ""),
        select(VALUES.c.value_key).where(
            VALUES.c.org_id == org_id, VALUES.c.lead_id == lead_id, VALUES.c.field == "email",
            VALUES.c.value_key.is_not(None),
        ),
    ).subquery("addresses")  # fmt: skip
    query = select(address_hash(addresses.c.address, org_id).label("hash")).distinct()
    return await select_rows(connection, query, bytes)


async def list_exclusions(
    connection: AsyncConnection, org_id: UUID, kind: ExclusionKind | None, after: str | None, limit: int
) -> tuple[Sequence[Exclusion], str | None]:
    """A page, newest first, and the cursor of the next. Raises 400 `cursor_invalid`."""
    before = None
    if after is not None:
        [key] = pagination.decode(after, 1)
        before = pagination.serial(key)
    rows = await READ.rows(connection, {"org_id": org_id, "kind": kind, "before": before, "limit": limit + 1})
    return rows[:limit], pagination.encode(rows[limit - 1].seq) if len(rows) > limit else None


async def remove_exclusion(connection: AsyncConnection, org_id: UUID, actor: str, exclusion_id: UUID) -> None:
    """Leads that it kept from Clay may be pushed again. Raises 404 `exclusion_not_found`."""
    removed = await REMOVE.one_or_none(connection, {"org_id": org_id, "id": exclusion_id})
    if removed is None:
        raise NotFoundError("Your organization has no exclusion with this id.", code="exclusion_not_found")
    await _audit(connection, org_id, actor, "exclusion.removed", removed, {})


async def erase_exclusions(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, references: dict[UUID, UUID]
) -> int:
    """Keep the exclusions of these leads (`references`: lead → reference) without reason, id or address. Returns their number.

    Call it before the leads' values are deleted, because it hashes their addresses.
    """
    found = await OF_LEADS.rows(connection, {"org_id": org_id, "lead_ids": list(references)})
    for lead_id in found:
        hashes = await _read_address_hashes(connection, tables, org_id, lead_id)
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
    """Names neither lead nor domain: the audit log is permanent, and a domain may belong to one person."""
    of = "domain" if exclusion.lead_id is None else "lead"
    await audit(
        connection, org_id, actor, action,
        {"exclusion_id": str(exclusion.id), "kind": exclusion.kind, "of": of, **more},
    )  # fmt: skip
