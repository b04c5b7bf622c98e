"""Reads what is known of one lead: the host's own values, and the values that enrichment found, by field."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.enrichment.values.choice import Candidate, Choice, ValueSource, choose
from clay_push_service.enrichment.values.fields import Field
from clay_push_service.enrichment.values.normalise import Normalised, Value, normalise
from clay_push_service.enrichment.values.store import Current, StoredValue, read_current, read_values
from clay_push_service.enrichment.write_back.writes import written_keys
from clay_push_service.errors import NotFoundError
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.leads import best_projects
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables

HOST_ID = UUID(int=0)
"""The host's value has no row, and so no id of its own."""
HOST_COLUMNS: Mapping[Field, tuple[str, ...]] = MappingProxyType(
    {
        Field.EMAIL: ("email",),
        Field.LINKEDIN_URL: ("linkedin_url",),
        Field.COMPANY_NAME: ("current_company", "company"),
        Field.INDUSTRY: ("industry",),
        Field.JOB_TITLE: ("current_position",),
        Field.LOCATION: ("location",),
    }
)
"""The columns of the host that hold a field's own value; the first that is not empty."""


@dataclass(frozen=True, slots=True)
class LeadField:
    """`choice` None: there is no value."""

    name: str
    host: Value | None
    history: Sequence[StoredValue]
    """Oldest first."""
    current: Current | None
    choice: Choice | None

    @property
    def chosen(self) -> StoredValue | None:
        """The stored value that was chosen; None also where the host's own was chosen."""
        found = None if self.choice is None else self.choice.id
        return next((each for each in self.history if each.candidate.id == found), None)

    @property
    def last_search(self) -> StoredValue | None:
        """The last time that Clay looked for this field, whether or not it found a value."""
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
    """Every standard field, every field of `custom`, and those that have values. Raises 404 `lead_not_found`."""
    row = await _host_row(connection, tables, org_id, lead_id)
    history: defaultdict[str, list[StoredValue]] = defaultdict(list)
    for each in await read_values(connection, org_id, [lead_id]):
        history[each.field].append(each)
    current = await read_current(connection, org_id, [lead_id])
    written = await written_keys(connection, org_id, lead_id)
    names = dict.fromkeys([*(each.value for each in Field), *custom, *sorted(history)])
    return EnrichedLead(
        lead_id,
        [_field(name, row, history.get(name, []), current.get((lead_id, name)), written.get(name)) for name in names],
    )


async def require_lead(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> UUID:
    """The project that the lead counts for. Raises 404 `lead_not_found`, also for a lead of another organization."""
    projects = await best_projects(connection, tables, org_id, [lead_id])
    if lead_id not in projects:
        raise NotFoundError("Your organization has no lead with this id.", code="lead_not_found")
    return projects[lead_id]


async def _host_row(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> LeadRow | None:
    project_id = await require_lead(connection, tables, org_id, lead_id)
    return (await read_lead_rows(connection, tables, org_id, project_id, [lead_id])).get(lead_id)


def _field(
    name: str, row: LeadRow | None, history: Sequence[StoredValue], current: Current | None, written: str | None
) -> LeadField:
    """The host's value takes part in the choice each time that it is read, because the host changes it unannounced.

    `written`: the key of a value that this service wrote into the host. While the host holds it, the field has no value of the host's own.
    """
    host = host_value(name, row)
    if host is not None and host.key == written:
        host = None
    candidates = [each.candidate for each in history]
    if host is not None:
        candidates.append(_of_host(host, candidates))
    pinned = current.value_id if current is not None and current.pinned_by is not None else None
    return LeadField(name, None if host is None else host.value, history, current, choose(candidates, pinned))


def host_value(name: str, row: LeadRow | None) -> Normalised | None:
    """The host's own value, normalised; as it is where it cannot be normalised; None: the host has none."""
    if row is None or name not in HOST_COLUMNS:
        return None
    for column in HOST_COLUMNS[Field(name)]:
        written: str | None = getattr(row, column)
        if written is None:
            continue
        found = normalise(name, written)
        if isinstance(found, Normalised):
            return found
        if found is not None:
            return Normalised(written, written.casefold())
    return None


def _of_host(host: Normalised, candidates: Sequence[Candidate]) -> Candidate:
    """Its age is unknown and decides nothing: the rule of the host's own value comes before the rule of the newest."""
    at = max((each.received_at for each in candidates), default=datetime.min.replace(tzinfo=UTC))
    return Candidate(HOST_ID, ValueSource.HOST, host.key, at, at)
