"""Reads what every page shows around its content: user, organization, the user's other organizations, and the gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.api_keys import find_key_by_id
from clay_push_service.callers.caller import Caller
from clay_push_service.gate import Gate, read_gate
from clay_push_service.host.members import memberships
from clay_push_service.host.organization_names import organization_names
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Organization:
    id: UUID
    name: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Frame:
    user: str
    """The user name, or the key's prefix and name."""
    role: str
    """`owner`, `admin`, `member`, or `service key`."""
    organizations: Sequence[Organization]
    """All that the user or key may open; the current one among them."""
    gate: Gate
    upgrade_url: str | None

    @property
    def organization(self) -> Organization:
        return next(each for each in self.organizations if each.is_current)


async def read_frame(connection: AsyncConnection, tables: HostTables, caller: Caller, settings: Settings) -> Frame:
    org_ids = await _org_ids(connection, tables, caller)
    names = await organization_names(connection, tables, org_ids)
    organizations = [
        Organization(org_id, names.get(org_id, str(org_id)), is_current=org_id == caller.org_id) for org_id in org_ids
    ]
    gate = await read_gate(connection, tables, caller.org_id, billing_enabled=settings.billing_enabled)
    return Frame(
        user=caller.username or caller.actor.removeprefix("key:"),
        role=caller.role.value if caller.role is not None else "service key",
        organizations=sorted(organizations, key=lambda each: each.name.casefold()),
        gate=gate,
        upgrade_url=settings.upgrade_url,
    )


async def _org_ids(connection: AsyncConnection, tables: HostTables, caller: Caller) -> Sequence[UUID]:
    """Always contains the caller's own: it has been checked in this request."""
    found = {caller.org_id}
    if caller.username is not None:
        found |= {each.org_id for each in await memberships(connection, tables, caller.username)}
    elif caller.key_id is not None and (key := await find_key_by_id(connection, caller.key_id)) is not None:
        found |= set(key.org_ids)
    return sorted(found)
