"""Finds projects of an organization. A project of another organization is not found."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_one_or_none, select_rows
from clay_push_service.host.tables import HostTables


@dataclass(frozen=True, slots=True)
class Project:
    id: UUID
    name: str


MOST_PROJECTS = 500


async def list_projects(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> list[Project]:
    """The projects of an organization by name, up to MOST_PROJECTS."""
    projects = tables.projects.c
    query = select(projects.id, projects.name).where(projects.org_id == org_id).order_by(projects.name, projects.id)
    return await select_rows(connection, query.limit(MOST_PROJECTS), Project)


async def find_project(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID
) -> Project | None:
    projects = tables.projects.c
    query = select(projects.id, projects.name).where(projects.id == project_id, projects.org_id == org_id)
    return await select_one_or_none(connection, query, Project)
