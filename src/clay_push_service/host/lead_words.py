"""Reads the words that leads of a project have in free-text columns, for the choices of a filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import FromClause

from clay_push_service.database.statement import select_rows
from clay_push_service.host.tables import HostTables

MOST_WORDS = 30
"""Maximum number of words of one column. A project has three classifications by default, and a longer list is not usable."""


@dataclass(frozen=True, slots=True)
class LeadWords:
    classifications: Sequence[str]
    priorities: Sequence[str]


async def read_lead_words(connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID) -> LeadWords:
    scores, social = tables.lead_scores, tables.social_context
    joined = scores.join(social, social.c.lead_id == scores.c.lead_id)
    return LeadWords(
        await _words(connection, tables, joined, social.c.classification, org_id, project_id),
        await _words(connection, tables, scores, scores.c.priority, org_id, project_id),
    )


async def _words(
    connection: AsyncConnection, tables: HostTables, source: FromClause, word: ColumnElement[str], org_id: UUID,
    project_id: UUID,
) -> Sequence[str]:  # fmt: skip
    projects = tables.projects.c
    own = select(projects.id).where(projects.id == project_id, projects.org_id == org_id).exists()
    query = (
        select(word)
        .select_from(source)
        .where(tables.lead_scores.c.project_id == project_id, own, word.is_not(None), word != "")
        .distinct()
        .order_by(word)
        .limit(MOST_WORDS)
    )
    return await select_rows(connection, query, str)
