"""Authentication: turns the headers Authorization and X-Org-Id into a caller. Accepts NexusLeads access tokens and service keys."""

import re
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.callers.api_keys import ApiKey, find_key, is_key
from clay_push_service.callers.caller import Caller, CallerKind, Scope
from clay_push_service.errors import UNFINISHED, BadRequestError, ForbiddenError, UnauthorizedError
from clay_push_service.host.members import memberships, user_exists
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tokens import username_of
from clay_push_service.settings import Settings

OrgDefault = Literal["only", "first"]
"""The organization without X-Org-Id: the caller's only one, or the first, as in NexusLeads."""
log = logs.get(__name__)
CHALLENGE = {"WWW-Authenticate": "Bearer"}

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


async def authenticate(
    connection: AsyncConnection,
    host: HostTableCache,
    settings: Settings,
    authorization: str | None,
    x_org_id: str | None,
    *,
    now: float,
    org_default: OrgDefault = "only",
) -> Caller:
    """Return the caller. `now`: seconds since 1970, for the times of the token.

    Raises 401 for invalid credentials, 403 without access to the organization, 400 if it is missing or malformed.
    """
    credential = credential_of(authorization)
    if is_key(credential):
        return key_caller(await require_key(connection, credential), read_org_id(x_org_id), org_default)
    username = username_of(credential, require_secret(settings), now=now)
    return await member_caller(connection, host, username, read_org_id(x_org_id), org_default)


def require_secret(settings: Settings) -> str:
    """The secret that verifies access tokens. Raises 401 `tokens_not_accepted` without one."""
    if settings.jwt_secret is None:
        log.warning("caller.tokens_not_accepted", remedy="set CLAY_PUSH_JWT_SECRET to NexusLeads' SECRET_KEY")
        raise UnauthorizedError(
            f"Clay is not available with your login yet. {UNFINISHED}",
            code="tokens_not_accepted",
            headers=CHALLENGE,
        )
    return settings.jwt_secret.get_secret_value()


async def require_ops(connection: AsyncConnection, credential: str) -> ApiKey:
    """Return the service key, which must have scope `ops`. Raises 401 or 403."""
    if not is_key(credential):
        raise UnauthorizedError("This requires a service key with scope ops.", headers=CHALLENGE)
    key = await require_key(connection, credential)
    if Scope.OPS not in key.scopes:
        raise ForbiddenError("This service key lacks the scope ops.", code="scope_required")
    return key


def credential_of(authorization: str | None) -> str:
    """Return the credential after `Bearer`. Raises 401."""
    scheme, _, credential = (authorization or "").strip().partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential:
        raise UnauthorizedError(
            "Send an access token of NexusLeads or a service key as `Authorization: Bearer`.", headers=CHALLENGE
        )
    return credential


async def require_key(connection: AsyncConnection, credential: str) -> ApiKey:
    key = await find_key(connection, credential)
    if key is None:
        raise UnauthorizedError("The service key is invalid or revoked.", code="invalid_key", headers=CHALLENGE)
    return key


async def member_caller(
    connection: AsyncConnection, host: HostTableCache, username: str, org_id: UUID | None, org_default: OrgDefault
) -> Caller:
    """Raises 401 `inactive_user`, 403 `not_a_member`, 400 `organization_required`."""
    tables = await host.tables(connection)
    members = await memberships(connection, tables, username)
    if not members and not await user_exists(connection, tables, username):
        raise UnauthorizedError("The user of this token is inactive.", code="inactive_user", headers=CHALLENGE)
    if org_id is not None:
        for member in members:
            if member.org_id == org_id:
                return Caller.of_member(member)
        raise ForbiddenError("You are not a member of this organization.", code="not_a_member")
    if not members:
        raise BadRequestError("You are not a member of any organization.", code="organization_required")
    if len(members) > 1 and org_default == "only":
        raise _organization_required()
    return Caller.of_member(members[0])


def key_caller(key: ApiKey, org_id: UUID | None, org_default: OrgDefault) -> Caller:
    """Raises 403 `organization_forbidden`, 400 `organization_required`."""
    if not key.org_ids:
        raise ForbiddenError("This service key has no organization.", code="organization_forbidden")
    if org_id is None:
        if len(key.org_ids) > 1 and org_default == "only":
            raise _organization_required()
        org_id = key.org_ids[0]
    elif org_id not in key.org_ids:
        raise ForbiddenError("This service key does not include this organization.", code="organization_forbidden")
    return Caller(
        CallerKind.SERVICE, org_id, key.actor, key.scopes, key_id=key.id, should_record_key_use=key.should_record_use
    )  # fmt: skip


def read_org_id(header: str | None) -> UUID | None:
    """Raises 400 `organization_invalid`."""
    if header is None or not header.strip():
        return None
    if not _UUID.fullmatch(header.strip()):  # UUID() also accepts braces, urn: and plain hexadecimals
        raise BadRequestError("X-Org-Id must be the id of an organization (a UUID).", code="organization_invalid")
    return UUID(header.strip())


def _organization_required() -> BadRequestError:
    return BadRequestError(
        "You belong to several organizations: select one with the header X-Org-Id.", code="organization_required"
    )
