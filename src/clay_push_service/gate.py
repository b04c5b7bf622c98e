"""Decides whether an organization may use Clay: all organizations in the pilot, Enterprise once billing is enabled."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.errors import ForbiddenError
from clay_push_service.host.billing import is_enterprise
from clay_push_service.host.tables import HostTables

ENTERPRISE_REQUIRED: Final = "enterprise_required"
MESSAGE: Final = "Clay integration is available on the Enterprise plan. Contact us to upgrade."
"""Word for word from the feature document, section 7.2."""


@dataclass(frozen=True, slots=True)
class Gate:
    """`code` and `message` explain a closed gate; both are None for an open one."""

    available: bool
    code: str | None = None
    message: str | None = None


OPEN: Final = Gate(available=True)


def gate(*, billing_enabled: bool, is_enterprise: bool) -> Gate:
    """The feature document, section 7.1. An organization without a billing row is not enterprise."""
    if not billing_enabled or is_enterprise:
        return OPEN
    return Gate(available=False, code=ENTERPRISE_REQUIRED, message=MESSAGE)


async def read_gate(connection: AsyncConnection, tables: HostTables, org_id: UUID, *, billing_enabled: bool) -> Gate:
    """Reads the organization's plan only if billing is enabled."""
    enterprise = billing_enabled and await is_enterprise(connection, tables, org_id)
    return gate(billing_enabled=billing_enabled, is_enterprise=enterprise)


async def require_available(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, *, billing_enabled: bool, upgrade_url: str | None
) -> None:
    """Raises 403 `enterprise_required` unless the organization may use Clay."""
    found = await read_gate(connection, tables, org_id, billing_enabled=billing_enabled)
    if not found.available:
        raise ForbiddenError(
            found.message or "", code=found.code, extra={"upgrade_url": upgrade_url} if upgrade_url else {}
        )
