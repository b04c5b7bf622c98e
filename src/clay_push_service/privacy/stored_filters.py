"""Finds and empties stored texts that may name an erased lead: filters of push jobs and schedules, reasons of exclusions.

Compares case-folded text in Python: the database's lower() depends on its locale.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.host.text_search import fold
from clay_push_service.routing.exclusions import empty_reasons, read_reasons
from clay_push_service.schedules.erase import StoredTexts, empty_texts, read_texts

SHORTEST = 3
"""Fewest characters of a text that counts as a partial match. Two letters would match half of a project."""
COMPANY_LISTS = ("companies", "exclude_companies")


class _StoredFilters(NamedTuple):
    """The filters of one push job as JSON."""

    id: UUID
    search: str | None
    companies: object
    exclude_companies: object


STORED = Statement(
    """
SELECT id, filters ->> 'search' AS search, filters -> 'companies' AS companies,
       filters -> 'exclude_companies' AS exclude_companies
FROM clay.push_jobs
WHERE org_id = :org_id AND jsonb_exists_any(filters, ARRAY['search', 'companies', 'exclude_companies'])
""",
    _StoredFilters,
)
NAMES = Statement(
    """
SELECT DISTINCT name FROM clay.clay_push_log CROSS JOIN LATERAL (VALUES (username), (full_name)) AS known (name)
WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[])) AND name IS NOT NULL
""",
    str,
)
EMPTY_SEARCHES = Statement("""
UPDATE clay.push_jobs SET filters = filters - 'search' WHERE org_id = :org_id AND id = ANY(CAST(:job_ids AS uuid[]))
""")
EMPTY_COMPANIES = Statement("""
UPDATE clay.push_jobs SET filters = filters - 'companies' - 'exclude_companies'
WHERE org_id = :org_id AND id = ANY(CAST(:job_ids AS uuid[]))
""")


@dataclass(frozen=True, slots=True)
class MatchingTexts:
    """Push jobs whose filters may name an erased lead."""

    searches: Sequence[UUID]
    companies: Sequence[UUID]
    reasons: Sequence[UUID]
    """Exclusions of other leads or domains whose reason names an erased lead."""
    schedules: Sequence[UUID] = ()
    """Schedules whose filters may name an erased lead."""
    schedule_names: Sequence[UUID] = ()

    @property
    def jobs(self) -> set[UUID]:
        return {*self.searches, *self.companies}


async def find(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    lead_ids: Sequence[UUID],
    lead_job_ids: set[UUID],
    former_values: Sequence[str] | None,
) -> MatchingTexts:
    """`lead_job_ids`: jobs that contain an erased lead. Without former values every job matches: any may contain a former address or company."""
    known = await _read_known_values(connection, tables, org_id, lead_ids, former_values or ())
    rows = await STORED.rows(connection, {"org_id": org_id})
    schedules = await read_texts(connection, org_id)
    return MatchingTexts(
        [
            row.id
            for row in rows
            if row.search and (former_values is None or row.id in lead_job_ids or _may_name(row.search, known))
        ],
        [
            row.id
            for row in rows
            if (row.companies or row.exclude_companies)
            and (
                former_values is None
                or row.id in lead_job_ids
                or any(_may_name(each, known) for each in _companies(row))
            )
        ],
        [each.id for each in await read_reasons(connection, org_id) if _may_name(each.reason, known)],
        # Of a company list only a match counts: without former values every schedule with such a list would stop.
        [
            each.id
            for each in schedules
            if (each.search and (former_values is None or _may_name(each.search, known)))
            or any(_may_name(company, known) for company in _companies(each))
        ],
        [each.id for each in schedules if _may_name(each.name, known)],
    )


async def empty(connection: AsyncConnection, org_id: UUID, found: MatchingTexts) -> None:
    """Empties the texts. The jobs must be locked (see `deliveries.counters`)."""
    await EMPTY_SEARCHES.execute(connection, {"org_id": org_id, "job_ids": found.searches})
    await EMPTY_COMPANIES.execute(connection, {"org_id": org_id, "job_ids": found.companies})
    await empty_reasons(connection, org_id, found.reasons)
    await empty_texts(connection, org_id, found.schedules, found.schedule_names)


class _KnownValues(NamedTuple):
    username: str | None
    full_name: str | None
    email: str | None
    company: str | None
    current_company: str | None


async def _read_known_values(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], former: Iterable[str]
) -> frozenset[str]:
    """Reads the case-folded values by which a stored filter may name the leads."""
    values = set(await NAMES.rows(connection, {"org_id": org_id, "lead_ids": list(lead_ids)}))
    leads, social = tables.leads, tables.social_context
    query = (
        select(
            *(tables.read("leads", name).label(name) for name in ("username", "full_name", "email", "company")),
            tables.read("social_context", "current_company").label("current_company"),
        )
        .select_from(leads.outerjoin(social, social.c.lead_id == leads.c.id))
        .where(leads.c.id == any_(bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid()))))
    )
    rows = await select_rows(connection, query, _KnownValues)
    values.update(str(value) for row in rows for value in row if value)
    values.update(former)
    return frozenset(fold(value.strip()) for value in values if value.strip())


def _companies(row: _StoredFilters | StoredTexts) -> list[str]:
    lists = (row.companies, row.exclude_companies)
    return [str(each) for words in lists if isinstance(words, list) for each in words]


def _may_name(stored: str, known: Iterable[str]) -> bool:
    """Whether the texts are equal, one contains the other, or they share a word."""
    folded = fold(stored.strip())
    words = _words(folded)
    return any(
        folded == each
        or (len(folded) >= SHORTEST and folded in each)
        or (len(each) >= SHORTEST and each in folded)
        or not words.isdisjoint(_words(each))
        for each in known
    )


def _words(folded: str) -> set[str]:
    return {each for each in re.findall(r"\w+", folded) if len(each) >= SHORTEST}
