"""Says an expected failure in one line for a shell, with an exit code; an unexpected one stays a traceback."""

import errno
import socket
import ssl
from dataclasses import dataclass

from clay_push_service.errors import ClayPushError
from clay_push_service.settings import PREFIX, SettingsError

REFUSED = 1
BAD_SETTINGS = 2
"""Also what typer says to a wrong option."""
NO_DATABASE = 3

INSUFFICIENT_PRIVILEGE = "42501"
NO_SUCH_TABLE = frozenset({"42P01", "42703", "42883", "3F000"})
STATES = {
    "55P03": "A lock was not free in time, so nothing was changed: another session holds it (a migration, or a long transaction)."
    " Try again.",
    "57014": "A statement took too long and was ended, so nothing was changed: the database is busy, or another session holds"
    " a lock. Try again.",
    "25006": f"The database is read-only: it is a standby, or was set so. {PREFIX}DATABASE_URL (and"
    f" {PREFIX}ADMIN_DATABASE_URL) must name the primary.",
    "40": "Another session was in the way (deadlock or serialization failure), so nothing was changed. Try again.",
    "53": "The database has no resources left for this (connections, memory or disk).",
    "57P": f"The database ended the connection: it stops, or starts. Try again ({PREFIX}DATABASE_URL).",
    "25P0": "The database ended the session, which had been idle for too long. Try again.",
    "08": "The connection to the database was lost, so it is not known whether the last change was made. Look before you try"
    f" again ({PREFIX}DATABASE_URL).",
}
"""By SQLSTATE or its beginning: expected failures of the server or of the moment."""
NETWORK = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT})


@dataclass(frozen=True, slots=True)
class Complaint:
    line: str
    exit_code: int


def of(error: BaseException) -> Complaint | None:
    """None: nobody expected this one."""
    if isinstance(error, SettingsError):
        return Complaint(str(error), BAD_SETTINGS)
    if isinstance(error, ClayPushError):
        named = "".join(f"\n  {each.get('field', '')}: {each.get('message', '')}" for each in error.errors)
        return Complaint(error.detail + named, REFUSED)
    return _of_secrets(error) or _of_database(error)


def _of_secrets(error: BaseException) -> Complaint | None:
    from clay_push_service.destinations.secret_box import SecretError

    return Complaint(f"{PREFIX}ENCRYPTION_KEYS: {error}", BAD_SETTINGS) if isinstance(error, SecretError) else None


def _of_database(error: BaseException) -> Complaint | None:
    import asyncpg
    import psycopg
    from sqlalchemy.exc import DBAPIError

    unreachable_kinds = (
        psycopg.OperationalError,
        ConnectionError,
        ssl.SSLError,
        asyncpg.ClientConfigurationError,
        asyncpg.PostgresConnectionError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
    )
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    cause = cause.__cause__ if isinstance(cause.__cause__, asyncpg.PostgresError) else cause
    state = getattr(cause, "sqlstate", None)
    message = str(cause).strip().partition("\n")[0]
    sentence = _of_state(state or "", message)
    if sentence is None and _is_lost(error, cause):
        sentence = STATES["08"]
    if sentence is not None:
        return Complaint(sentence, NO_DATABASE)
    if isinstance(cause, unreachable_kinds) or (isinstance(cause, OSError) and _is_network(cause)):
        message = _of_network(cause) or message
        return Complaint(f"The database cannot be reached: {message} ({PREFIX}DATABASE_URL).", NO_DATABASE)
    if isinstance(cause, OSError) and isinstance(error, OSError | DBAPIError):
        return Complaint(f"{message[:1].upper()}{message[1:]}", REFUSED)
    return _of_tools(error)


def _of_state(state: str, message: str) -> str | None:
    if state == INSUFFICIENT_PRIVILEGE:
        return f"The database role may not do this: {message}. See `clay-push doctor`."
    if state in NO_SUCH_TABLE:
        return f"The database lacks what this needs: {message}. Run `clay-push migrate`."
    return next((sentence for prefix, sentence in STATES.items() if state.startswith(prefix)), None)


def _of_tools(error: BaseException) -> Complaint | None:
    """Libraries that wrap what the database did to them."""
    from alembic.util.exc import CommandError
    from procrastinate.exceptions import ProcrastinateException
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    if isinstance(error, CommandError):
        return Complaint(f"The migrations do not fit this database: {error}.", NO_DATABASE)
    if isinstance(error, PoolTimeoutError):
        return Complaint("The database gave no connection in time. Try again.", NO_DATABASE)
    if isinstance(error, ProcrastinateException) and error.__cause__ is not None:
        return _of_database(error.__cause__)
    return None


def _is_lost(error: BaseException, cause: BaseException) -> bool:
    """The connection broke under a statement. The driver has no SQLSTATE for it, and often says only "connection is closed"."""
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    kinds = (asyncpg.ConnectionDoesNotExistError, asyncpg.InternalClientError, ConnectionResetError, BrokenPipeError)
    return invalidated or isinstance(cause, kinds) or isinstance(cause.__cause__, kinds)


def _is_network(error: OSError) -> bool:
    """A number may be lacking: asyncio gives none for a name with several addresses, none of which answers."""
    return (
        isinstance(error, socket.gaierror | TimeoutError)
        or error.errno in NETWORK
        or str(error).startswith("Multiple exceptions")
    )


def _of_network(error: BaseException) -> str | None:
    """In words where the error itself has none, or only a number."""
    match error:
        case socket.gaierror():
            return f"its host name is not found ({error.strerror})"
        case TimeoutError() if not str(error):
            return "no answer in time"
        case _:
            return None
