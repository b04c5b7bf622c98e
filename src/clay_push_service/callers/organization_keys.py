"""Service keys of one organization, for its owners: list, create and revoke. Only the operator manages keys of several organizations."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.api_keys import ApiKey, NewKey, create_key, list_keys_of, revoke_key
from clay_push_service.callers.caller import Caller, CallerKind, Scope
from clay_push_service.errors import ForbiddenError, InvalidError, NotFoundError
from clay_push_service.host.members import Role

GRANTABLE: Final = tuple(scope for scope in Scope if scope is not Scope.OPS)
"""`ops` shows data of all organizations, so only the operator grants it."""


def require_owner(caller: Caller) -> None:
    """Raises 403 `role_required`, also for a service key: a key must not make keys."""
    if caller.kind is not CallerKind.MEMBER or caller.role is not Role.OWNER:
        raise ForbiddenError("Only an owner of the organization may manage its service keys.", code="role_required")


async def list_organization_keys(connection: AsyncConnection, caller: Caller) -> Sequence[ApiKey]:
    """Active and revoked keys that may act for the caller's organization, newest first."""
    require_owner(caller)
    return await list_keys_of(connection, caller.org_id)


async def create_organization_key(
    connection: AsyncConnection, caller: Caller, name: str, scopes: Collection[Scope]
) -> NewKey:
    """For the caller's organization only. Raises 403 `role_required`, and 422 for a wrong name, no scope, or the scope `ops`."""
    require_owner(caller)
    if Scope.OPS in scopes:
        raise InvalidError(
            "A service key of an organization cannot have the scope ops, because it shows data of all organizations. The"
            " NexusLeads operator creates such a key.",
            errors=[{"field": "scopes", "message": "must not contain ops"}],
        )
    return await create_key(connection, name, [caller.org_id], scopes, caller.actor)


async def revoke_organization_key(connection: AsyncConnection, caller: Caller, key_id: UUID) -> ApiKey:
    """Raises 404 `api_key_not_found` unless an active key of this organization alone has the id."""
    require_owner(caller)
    found = next((key for key in await list_keys_of(connection, caller.org_id) if key.id == key_id), None)
    if found is None or found.revoked_at is not None or found.org_ids != (caller.org_id,):
        raise NotFoundError("Your organization has no active service key with this id.", code="api_key_not_found")
    return await revoke_key(connection, found.prefix, caller.actor)
