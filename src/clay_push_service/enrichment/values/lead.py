"""Reads one lead's values by field: the host's own values, and the values that enrichment found."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.enrichment.values.choice import Candidate, Choice, ValueSource, choose
from clay_push_service.enrichment.values.fields import Field
from clay_push_service.enrichment.values.normalise import Normalised, Value, normalise
from clay_push_service.enrichment.values.store import CurrentValue, StoredValue, read_current, read_values
from clay_push_service.enrichment.write_back.writes import hash_of, written_hashes
from clay_push_service.errors import NotFoundError
from clay_push_service.host.enrichment_conditions import OWN_COLUMNS
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.leads import best_projects
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables

HOST_ID = UUID(int=0)
"""Id of the host's value, which has no row and so no id of its own."""


@dataclass(frozen=True, slots=True)
class LeadField:
    """`choice` None: there is no value."""

    name: str
    host: Value | None
    history: Sequence[StoredValue]
    """Oldest first."""
    current: CurrentValue | None
    choice: Choice | None

    @property
    def chosen(self) -> StoredValue | None:
        """The stored value that was chosen; None also if the host's own value was chosen."""
        found = None if self.choice is None else self.choice.id
        return next((each for each in self.history if each.candidate.id == found), None)

    @property
    def last_search(self) -> StoredValue | None:
        """The last time that Clay searched this field, with or without a value."""
        return next((each for each in reversed(self.history) if each.candidate.source is not ValueSource.PERSON), None)


@dataclass(frozen=True, slots=True)
class EnrichedLead:
    lead_id: UUID
    fields: Sequence[LeadField] = field(default=())

    @property
    def enriched_at(self) -> datetime | None:
        """When Clay last sent a result for the lead."""
        searches = [each.last_search for each in self.fields]
        return max((each.candidate.received_at for each in searches if each is not None), default=None)


async def read_lead(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID, custom: Sequence[str]
) -> EnrichedLead:
    """Reads every standard field, every field of `custom`, and those that have values. Raises 404 `lead_not_found`."""
    row = await _host_row(connection, tables, org_id, lead_id)
    history: defaultdict[str, list[StoredValue]] = defaultdict(list)
    for each in await read_values(connection, org_id, [lead_id]):
        history[each.field].append(each)
    current = await read_current(connection, org_id, [lead_id])
    written = await written_hashes(connection, org_id, lead_id)
    names = dict.fromkeys([*(each.value for each in Field), *custom, *sorted(history)])
    return EnrichedLead(
        lead_id,
        [_field(name, row, history.get(name, []), current.get((lead_id, name)), written.get(name)) for name in names],
    )


async def require_lead(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> UUID:
    """Returns the lead's project. Raises 404 `lead_not_found`, also for a lead of another organization."""
    projects = await best_projects(connection, tables, org_id, [lead_id])
    if lead_id not in projects:
        raise NotFoundError("Your organization has no lead with this id.", code="lead_not_found")
    return projects[lead_id]


async def _host_row(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> LeadRow | None:
    project_id = await require_lead(connection, tables, org_id, lead_id)
    return (await read_lead_rows(connection, tables, org_id, project_id, [lead_id])).get(lead_id)


def _field(
    name: str, row: LeadRow | None, history: Sequence[StoredValue], current: CurrentValue | None, written: bytes | None
) -> LeadField:
    """The host's value takes part in the choice each time that it is read, because the host changes it unannounced.

    `written`: the hash of the text that this service wrote into the host. While the host holds it, the field has no value of the host's
    own. `host.enrichment_conditions` has the same rule in SQL.
    """
    own = host_value(name, row)
    host = None if own is None or hash_of(own.text) == written else own.value
    candidates = [each.candidate for each in history]
    if host is not None:
        candidates.append(_of_host(host, candidates))
    pinned = current.value_id if current is not None and current.pinned_by is not None else None
    return LeadField(name, None if host is None else host.value, history, current, choose(candidates, pinned))


class HostValue(NamedTuple):
    text: str
    """The value of the host's column, unchanged."""
    value: Normalised


def host_value(name: str, row: LeadRow | None) -> HostValue | None:
    """Returns the host's own value, normalised if possible; None: the host has none."""
    if row is None:
        return None
    for _, column in OWN_COLUMNS.get(name, ()):
        text: str | None = getattr(row, column)
        if text is None:
            continue
        found = normalise(name, text)
        if found is not None:
            return HostValue(text, found if isinstance(found, Normalised) else Normalised(text, text.casefold()))
    return None


def _of_host(host: Normalised, candidates: Sequence[Candidate]) -> Candidate:
    """Returns the host's value as a candidate. Its age is unknown and not compared: the rule for the host's value precedes the rule for the newest."""
    at = max((each.received_at for each in candidates), default=datetime.min.replace(tzinfo=UTC))
    return Candidate(HOST_ID, ValueSource.HOST, host.key, at, at)
