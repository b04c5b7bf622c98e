"""Resolves what an exclusion matches: a lead with its known addresses, an e-mail domain, an exact address, or a segment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, Uuid, func, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement, select_one, select_rows
from clay_push_service.deliveries.eligibility import is_erased
from clay_push_service.deliveries.suppression import VALUES, address_hash
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.leads import unknown_leads
from clay_push_service.host.tables import HostTables
from clay_push_service.routing.address import Address
from clay_push_service.routing.domain import Domain
from clay_push_service.routing.lock import lock_routing

SEGMENT = Statement("SELECT id FROM clay.segments WHERE org_id = :org_id AND id = :id", UUID)


@dataclass(frozen=True, slots=True)
class ExcludedSegment:
    segment_id: UUID


ExclusionTarget = UUID | Domain | Address | ExcludedSegment
"""A UUID is a lead."""


async def resolve_target(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, target: ExclusionTarget
) -> Mapping[str, object]:
    """Returns the columns of `clay.exclusions` for the target. Raises 404 `lead_not_found` and `segment_not_found`, and 409 `lead_erased`."""
    columns: dict[str, object] = dict.fromkeys(("lead_id", "domain", "ascii_domain", "segment_id"))
    columns["address_hashes"] = ()
    if isinstance(target, UUID):
        await _require_lead(connection, tables, org_id, target)
        hashes = await read_address_hashes(connection, tables, org_id, target)
        return {**columns, "lead_id": target, "address_hashes": hashes}
    if isinstance(target, Domain):
        return {**columns, "domain": target.name, "ascii_domain": target.ascii_name}
    if isinstance(target, Address):
        return {**columns, "address_hashes": await _hash_address(connection, org_id, target)}
    return {**columns, "segment_id": await _require_segment(connection, org_id, target)}


async def _require_segment(connection: AsyncConnection, org_id: UUID, target: ExcludedSegment) -> UUID:
    await lock_routing(connection, org_id)
    if await SEGMENT.one_or_none(connection, {"org_id": org_id, "id": target.segment_id}) is None:
        raise NotFoundError("Your organization has no segment with this id.", code="segment_not_found")
    return target.segment_id


async def _require_lead(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> None:
    if await select_one(connection, select(is_erased(literal(lead_id, Uuid()), org_id)), bool):
        raise ConflictError("This lead was erased: it is never pushed or enriched again.", code="lead_erased")
    if await unknown_leads(connection, tables, org_id, [lead_id], None):
        raise NotFoundError(
            f"Your organization has no lead with this id: {lead_id}.",
            code="lead_not_found",
            extra={"lead_ids": [str(lead_id)]},
        )


async def read_address_hashes(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID
) -> Sequence[bytes]:
    """Returns hashes of every address known of the lead: NexusLeads' own, and those in its enriched values."""
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


async def _hash_address(connection: AsyncConnection, org_id: UUID, address: Address) -> Sequence[bytes]:
    """Returns sorted hashes, so that the same address is the same exclusion. PostgreSQL computes them, as in the comparison."""
    forms = [select(address_hash(literal(form, Text()), org_id).label("hash")) for form in address.forms]
    return sorted(set(await select_rows(connection, union(*forms), bytes)))
