"""Reads NexusLeads users and their roles in organizations. Ignores inactive users; an unknown role counts as member."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_one, select_rows
from clay_push_service.host.tables import HostTables


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Member:
    user_id: UUID
    username: str
    org_id: UUID
    role: Role


def role_of(value: str | None) -> Role:
    return {Role.OWNER.value: Role.OWNER, Role.ADMIN.value: Role.ADMIN}.get(value or "", Role.MEMBER)


async def user_exists(connection: AsyncConnection, tables: HostTables, username: str) -> bool:
    """Whether an ACTIVE user has this name. A token can still be valid after its account is deactivated."""
    users = tables.users.c
    # Not `exists().where()`: it renders SELECT *, which requires rights on every column.
    active = select(users.id).where(users.username == username, users.is_active.is_(True))
    return await select_one(connection, select(active.exists()), bool)


class _Membership(NamedTuple):
    id: UUID
    username: str
    org_id: UUID
    role: str | None


async def memberships(connection: AsyncConnection, tables: HostTables, username: str) -> Sequence[Member]:
    """The memberships of an active user, ordered by organization id; empty for an unknown or inactive user."""
    users, members = tables.users.c, tables.org_members.c
    query = (
        select(users.id, users.username, members.org_id, cast(members.role, Text).label("role"))
        .join_from(tables.users, tables.org_members, members.user_id == users.id)
        .where(users.username == username, users.is_active.is_(True))
        .order_by(members.org_id)
    )
    rows = await select_rows(connection, query, _Membership)
    return [Member(row.id, row.username, row.org_id, role_of(row.role)) for row in rows]
