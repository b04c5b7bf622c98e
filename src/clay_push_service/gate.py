"""May this organization use Clay? A pure rule: everybody in the pilot, Enterprise once billing is on."""

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
    """`code` and `message` say why not; both are None when the organization may."""

    available: bool
    code: str | None = None
    message: str | None = None


OPEN: Final = Gate(available=True)


def gate(*, billing_enabled: bool, is_enterprise: bool) -> Gate:
    """The feature document, section 7.1. An organization without a billing row is not enterprise."""
    if not billing_enabled or is_enterprise:
        return OPEN
    return Gate(available=False, code=ENTERPRISE_REQUIRED, message=MESSAGE)


async def require_available(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, *, billing_enabled: bool, upgrade_url: str | None
) -> None:
    """Raises 403 `enterprise_required` unless the organization may use Clay."""
    enterprise = billing_enabled and await is_enterprise(connection, tables, org_id)
    decision = gate(billing_enabled=billing_enabled, is_enterprise=enterprise)
    if not decision.available:
        raise ForbiddenError(
            decision.message or "", code=decision.code, extra={"upgrade_url": upgrade_url} if upgrade_url else {}
        )
