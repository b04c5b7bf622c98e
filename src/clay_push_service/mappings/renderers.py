"""Chooses for each claimed delivery how its payload is built: with the mapping of its push job, or as the standard payload."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.database import Database
from clay_push_service.database.statement import Connection
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.mapping.compile import NO_CLAY_VALUES, ClayValues, CompiledMapping
from clay_push_service.leads.payload import HASH_VERSION, MAPPED_HASH_VERSION, Payload, build, is_comparable
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.mappings.clay_values import LeadKey, read_clay_values
from clay_push_service.mappings.versions import MappingCache, VersionKey, read_versions


class MappedLead(NamedTuple):
    """A lead of an organization. `mapping_version_id`: of its push job; None: the standard payload."""

    org_id: UUID
    lead_id: UUID
    mapping_version_id: UUID | None


class Renderers(NamedTuple):
    """The compiled mappings of some leads, and the values of Clay that they need."""

    compiled: Mapping[VersionKey, CompiledMapping | None]
    values: Mapping[LeadKey, ClayValues]

    def build(self, lead: MappedLead, row: LeadRow, delivery_id: UUID, pushed_at: datetime) -> Payload:
        """Raises PayloadError."""
        if lead.mapping_version_id is None:
            return build(row, delivery_id, pushed_at)
        mapping = self.compiled.get(VersionKey(lead.org_id, lead.mapping_version_id))
        if mapping is None:
            raise PayloadError(
                PayloadProblem.INVALID_LEAD, "This release cannot read the mapping of the push job. Update the workers."
            )
        values = self.values.get(LeadKey(lead.org_id, lead.lead_id), NO_CLAY_VALUES) if self.values else NO_CLAY_VALUES
        return mapping.build(row, delivery_id, pushed_at, values)

    @staticmethod
    def is_comparable(lead: MappedLead, stored: bytes) -> bool:
        """Whether the hash of a delivery can be compared with the hash of a payload that is built now."""
        return is_comparable(stored, HASH_VERSION if lead.mapping_version_id is None else MAPPED_HASH_VERSION)


STANDARD = Renderers({}, {})


async def read_renderers(database: Database, cache: MappingCache, leads: Iterable[MappedLead]) -> Renderers:
    """Reads compiled mappings and values. Runs no statement without a mapping, or if all mappings are cached and need no value of Clay."""
    mapped = [each for each in leads if each.mapping_version_id is not None]
    if not mapped:
        return STANDARD
    keys = _keys(mapped)
    compiled = cache.find(keys)
    if unknown := keys - compiled.keys():
        async with database.driver() as connection:
            compiled |= await cache.read(connection, unknown)
    fields = _clay_fields(compiled)
    if not fields:
        return Renderers(compiled, {})
    async with database.driver() as connection:
        return Renderers(compiled, await read_clay_values(connection, _leads(mapped), fields))


async def read_renderers_once(connection: Connection, leads: Iterable[MappedLead]) -> Renderers:
    """Reads the same on an open connection, for requests."""
    mapped = [each for each in leads if each.mapping_version_id is not None]
    if not mapped:
        return STANDARD
    compiled = await read_versions(connection, _keys(mapped))
    return Renderers(compiled, await read_clay_values(connection, _leads(mapped), _clay_fields(compiled)))


def _keys(mapped: Iterable[MappedLead]) -> set[VersionKey]:
    return {VersionKey(each.org_id, each.mapping_version_id) for each in mapped if each.mapping_version_id is not None}


def _leads(mapped: Iterable[MappedLead]) -> list[LeadKey]:
    return [LeadKey(each.org_id, each.lead_id) for each in mapped]


def _clay_fields(compiled: Mapping[VersionKey, CompiledMapping | None]) -> frozenset[str]:
    return frozenset[str]().union(*(each.clay_fields for each in compiled.values() if each is not None))
