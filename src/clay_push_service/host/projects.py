"""Finds a project of an organization by id. A project of another organization is not found."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_one_or_none
from clay_push_service.host.tables import HostTables


@dataclass(frozen=True, slots=True)
class Project:
    id: UUID
    name: str


async def find_project(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID
) -> Project | None:
    projects = tables.projects.c
    query = select(projects.id, projects.name).where(projects.id == project_id, projects.org_id == org_id)
    return await select_one_or_none(connection, query, Project)
