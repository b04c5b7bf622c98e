"""Conditions on what Clay has found of a lead, and the lead's enrichment score, for statements that select leads of the host. Read-only."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    DateTime,
    LargeBinary,
    SmallInteger,
    Subquery,
    Text,
    Uuid,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    table,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.host.tables import HostTables

STALE_AFTER: Final = timedelta(days=183)
"""Six months: the enrichment guide's interval for enriching a lead again."""
PERSON: Final = "person"
"""The source of a value that a person entered; every other one is a result from Clay."""
VALUES = table(
    "enriched_values",
    column("org_id", Uuid()),
    column("lead_id", Uuid()),
    column("source", Text()),
    column("received_at", DateTime(timezone=True)),
    column("id", Uuid()),
    column("confidence", SmallInteger()),
    schema="clay",
)
CURRENT = table(
    "enriched_current",
    *(column(name, Uuid()) for name in ("org_id", "lead_id", "value_id")),
    *(column(name, Text()) for name in ("field", "pinned_by")),
    schema="clay",
)
WRITTEN = table(
    "host_writes",
    *(column(name, Uuid()) for name in ("org_id", "lead_id")),
    column("field", Text()),
    column("value_hash", LargeBinary()),
    column("undone_at", DateTime(timezone=True)),
    schema="clay",
)
OWN_COLUMNS: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType(
    {
        "email": [("leads", "email")],
        "linkedin_url": [("social_context", "linkedin_url")],
        "company_name": [("social_context", "current_company"), ("leads", "company")],
        "industry": [("social_context", "industry")],
        "job_title": [("social_context", "current_position")],
        "location": [("leads", "location")],
    }
)
"""The columns (our words for table and column) that hold the host's own value of a field; the first that is not empty counts."""
BLANKS: Final = "".join(
    chr(each)
    for each in (
        *range(1, 33),
        *range(127, 161),
        0x1680,
        *range(0x2000, 0x200B),
        0x2028,
        0x2029,
        0x202F,
        0x205F,
        0x3000,
    )
)
"""What `values.normalise.clean` removes from both ends of a text: white space and control characters."""
ABSENT: Final = ("", "null", "undefined")
"""Texts without a value, as in `values.normalise.ABSENT`."""


OrgId = UUID | BindParameter[UUID]
"""An organization, or the parameter of a statement that is built once."""


class EnrichedState(StrEnum):
    """When Clay last sent a result for a lead, as the badge of the lead shows it."""

    NEVER = "never"
    STALE = "stale"
    """The last result is more than six months old."""


def has_enrichment_state(lead_id: ColumnElement[UUID], org_id: OrgId, state: EnrichedState) -> ColumnElement[bool]:
    """A search without a value also counts as a result; a value that a person entered does not."""
    results = and_(VALUES.c.org_id == org_id, VALUES.c.lead_id == lead_id, VALUES.c.source != PERSON)
    if state is EnrichedState.NEVER:
        return ~_exists(results)
    return and_(_exists(results), ~_exists(results, VALUES.c.received_at >= func.now() - STALE_AFTER))


def has_chosen_email(lead_id: ColumnElement[UUID], org_id: OrgId) -> ColumnElement[bool]:
    """Whether Clay found, or a person entered, an address that can be used: an invalid one is never chosen."""
    return _exists(CURRENT.c.org_id == org_id, CURRENT.c.lead_id == lead_id, CURRENT.c.field == "email")


def _exists(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Selects no column: `EXISTS (SELECT *)` would need the right to read every one."""
    return select(literal(1)).where(*conditions).exists()


def select_enrichment_scores(
    tables: HostTables, org_id: UUID, is_wanted: Callable[[ColumnElement[UUID]], ColumnElement[bool]]
) -> Subquery:
    """`lead_id` and `score` of the wanted leads that have one: the score that the view of a lead shows, before rounding.

    It is the mean confidence of the chosen values that Clay found. A field whose value is the host's own, or was entered by a
    person, does not count; a column that holds what this service wrote into it is not the host's own.
    """
    leads, social = tables.leads, tables.social_context
    own = case(*((CURRENT.c.field == each, _own_text(tables, each)) for each in OWN_COLUMNS), else_=None)
    is_written = func.sha256(func.convert_to(own, "UTF8")) == WRITTEN.c.value_hash
    return (
        select(CURRENT.c.lead_id, func.avg(VALUES.c.confidence).label("score"))
        .select_from(CURRENT)
        .join(VALUES, and_(VALUES.c.org_id == CURRENT.c.org_id, VALUES.c.id == CURRENT.c.value_id))
        .join(leads, leads.c.id == CURRENT.c.lead_id)
        .outerjoin(social, social.c.lead_id == CURRENT.c.lead_id)
        .outerjoin(
            WRITTEN,
            and_(
                WRITTEN.c.org_id == CURRENT.c.org_id, WRITTEN.c.lead_id == CURRENT.c.lead_id,
                WRITTEN.c.field == CURRENT.c.field, WRITTEN.c.undone_at.is_(None),
            ),
        )
        .where(
            CURRENT.c.org_id == org_id, is_wanted(CURRENT.c.lead_id), VALUES.c.source != PERSON,
            VALUES.c.confidence.is_not(None), or_(CURRENT.c.pinned_by.is_not(None), own.is_(None), is_written),
        )
        .group_by(CURRENT.c.lead_id)
        .subquery("enrichment_scores")
    )  # fmt: skip


class EnrichmentScore(NamedTuple):
    lead_id: UUID
    score: Decimal


async def read_enrichment_scores(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]
) -> Mapping[UUID, int]:
    """As the view of a lead shows them. Leads without a score are absent."""
    if not lead_ids:
        return {}
    scores = select_enrichment_scores(tables, org_id, lambda lead_id: lead_id.in_(lead_ids))
    rows = await select_rows(connection, select(scores.c.lead_id, scores.c.score), EnrichmentScore)
    return {row.lead_id: round(row.score) for row in rows}


def _own_text(tables: HostTables, field: str) -> ColumnElement[str]:
    """The host's own text of a field; null: it has none."""
    texts = []
    for place, name in OWN_COLUMNS[field]:
        text = cast(tables.read(place, name), Text())
        is_absent = func.lower(func.btrim(text, BLANKS).collate("C")).in_(ABSENT)
        texts.append(case((~is_absent, text), else_=None))
    return func.coalesce(*texts)
