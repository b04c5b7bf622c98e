"""Console sessions: start, find, and end. The table holds a hash of the secret; the secret itself exists only in the browser's cookie.

A session ends with its access token, after the membership or the service key is gone, or on request.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.callers.api_keys import find_key_by_id, is_key
from clay_push_service.callers.authenticate import (
    authenticate,
    key_caller,
    member_caller,
    require_secret,
)
from clay_push_service.callers.caller import Caller
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement
from clay_push_service.errors import UnauthorizedError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tokens import read_token
from clay_push_service.settings import Settings

SECRET_BYTES = 32
MAX_SECRET_CHARACTERS = 64
KEY_SESSION = timedelta(hours=12)
"""Length of a session of a service key, because a key does not expire: one working day."""
KEEP_DAYS = 7
"""Ended sessions are kept for this time, so that an operator can see who used the console."""


class _SessionRow(NamedTuple):
    id: UUID
    org_id: UUID
    user_id: UUID | None
    username: str | None
    key_id: UUID | None
    expires_at: datetime


INSERT = Statement("""
INSERT INTO clay.console_sessions (id, org_id, secret_hash, user_id, username, key_id, expires_at)
VALUES (:id, :org_id, :secret_hash, :user_id, :username, :key_id, :expires_at)
""")
FIND = Statement(
    """
SELECT id, org_id, user_id, username, key_id, expires_at
FROM clay.console_sessions WHERE secret_hash = :secret_hash AND ended_at IS NULL AND expires_at > now()
""",
    _SessionRow,
)
END = Statement("""
UPDATE clay.console_sessions SET ended_at = now() WHERE org_id = :org_id AND id = :id AND ended_at IS NULL
""")
DELETE_OLD = Statement("""
DELETE FROM clay.console_sessions
WHERE id IN (SELECT id FROM clay.console_sessions
             WHERE expires_at < now() - :days * interval '1 day' OR ended_at < now() - :days * interval '1 day'
             LIMIT :rows FOR UPDATE SKIP LOCKED)
""")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    id: UUID
    org_id: UUID
    user_id: UUID | None
    username: str | None
    key_id: UUID | None
    expires_at: datetime
    secret: str = field(repr=False)


async def start_session(
    connection: AsyncConnection,
    host: HostTableCache,
    settings: Settings,
    credential: str,
    org_id: str | None,
    *,
    now: datetime,
) -> Session:
    """Start a session with an access token or a service key. Raises 400, 401 or 403, as the API does for the same credential."""
    caller = await authenticate(
        connection, host, settings, f"Bearer {credential}", org_id, now=now.timestamp(), org_default="first"
    )
    if is_key(credential):
        expires_at = now + KEY_SESSION
    else:
        token = read_token(credential, require_secret(settings), now=now.timestamp())
        expires_at = datetime.fromtimestamp(token.expires_at, UTC)
    return await _insert(connection, caller, expires_at)


async def continue_in(connection: AsyncConnection, session: Session, caller: Caller) -> Session:
    """Replace the session by one of another organization, of which `caller` is a member. It ends at the same time."""
    await end_session(connection, session)
    return await _insert(connection, caller, session.expires_at)


async def find_session(connection: AsyncConnection, secret: str) -> Session | None:
    """Return the session of this cookie, or None if it has ended. Compares hashes of 256 random bits."""
    if not secret or len(secret) > MAX_SECRET_CHARACTERS or not secret.isascii():
        return None
    row = await FIND.one_or_none(connection, {"secret_hash": _hash(secret)})
    return None if row is None else Session(**row._asdict(), secret=secret)


async def session_caller(
    connection: AsyncConnection, host: HostTableCache, session: Session, org_id: UUID | None = None
) -> Caller:
    """The caller with its current role. `org_id`: another organization of the same user or key.

    Raises 401 or 403 if the user, the membership or the key is gone.
    """
    org_id = org_id or session.org_id
    if session.key_id is not None:
        key = await find_key_by_id(connection, session.key_id)
        if key is None:
            raise UnauthorizedError("The service key of this session is revoked.", code="invalid_key")
        return key_caller(key, org_id, "only")
    caller = await member_caller(connection, host, session.username or "", org_id, "only")
    if caller.user_id != session.user_id:  # the user name belongs to another user now
        raise UnauthorizedError("The user of this session is inactive.", code="inactive_user")
    return caller


async def end_session(connection: AsyncConnection, session: Session) -> None:
    await END.execute(connection, {"org_id": session.org_id, "id": session.id})


async def end_session_later(database: Database, session: Session) -> None:
    """End a session whose rights are gone, after the response and in a separate transaction. Without it, the next request is refused again."""
    try:
        async with database.transaction() as connection:
            await end_session(connection, session)
    except (SQLAlchemyError, OSError) as error:
        log.warning("console_session.end_not_recorded", session_id=str(session.id), **failure(error))


async def delete_old_sessions(connection: AsyncConnection, rows: int) -> int:
    return await DELETE_OLD.execute(connection, {"days": KEEP_DAYS, "rows": rows})


async def _insert(connection: AsyncConnection, caller: Caller, expires_at: datetime) -> Session:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    session = Session(
        uuid4(), caller.org_id, caller.user_id, caller.username, caller.key_id, expires_at, secret
    )  # fmt: skip
    await INSERT.execute(
        connection,
        {
            "id": session.id,
            "org_id": session.org_id,
            "secret_hash": _hash(secret),
            "user_id": session.user_id,
            "username": session.username,
            "key_id": session.key_id,
            "expires_at": session.expires_at,
        },
    )
    return session


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
