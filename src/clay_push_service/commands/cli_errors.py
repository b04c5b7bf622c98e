"""Maps expected exceptions to a one-line error message and an exit code. An unexpected exception stays a traceback."""

import errno
import socket
import ssl
from dataclasses import dataclass

from clay_push_service.errors import ClayPushError
from clay_push_service.settings import PREFIX, SettingsError

REFUSED = 1
BAD_SETTINGS = 2
"""Typer uses the same exit code for an invalid option."""
NO_DATABASE = 3

INSUFFICIENT_PRIVILEGE = "42501"
NO_SUCH_TABLE = frozenset({"42P01", "42703", "42883", "3F000"})
STATES = {
    "55P03": "Nothing was changed: a lock was not available in time. Another session holds it (a migration or a long transaction)."
    " Try again.",
    "57014": "Nothing was changed: a statement timed out. The database is busy, or another session holds a lock. Try again.",
    "25006": f"The database is read-only: it is a standby, or it is configured as read-only. {PREFIX}DATABASE_URL (and"
    f" {PREFIX}ADMIN_DATABASE_URL) must name the primary.",
    "40": "Nothing was changed: the transaction conflicted with another session (deadlock or serialization failure). Try again.",
    "53": "The database has run out of a resource (connections, memory or disk). Free it, and try again.",
    "57P": f"The database closed the connection because it is stopping or starting. Try again ({PREFIX}DATABASE_URL).",
    "25P0": "The database closed the session because it was idle for too long. Try again.",
    "08": "The connection to the database was lost, so the last change may or may not have been made. Check before you try"
    f" again ({PREFIX}DATABASE_URL).",
}
"""Messages for expected database errors, by SQLSTATE or its prefix."""
NETWORK = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT})


@dataclass(frozen=True, slots=True)
class CliError:
    message: str
    exit_code: int


def describe_error(error: BaseException) -> CliError | None:
    """Returns None for an unexpected exception."""
    if isinstance(error, SettingsError):
        return CliError(str(error), BAD_SETTINGS)
    if isinstance(error, ClayPushError):
        fields = "".join(f"\n  {each.get('field', '')}: {each.get('message', '')}" for each in error.errors)
        return CliError(error.detail + fields, REFUSED)
    return _describe_secret_error(error) or _describe_database_error(error)


def _describe_secret_error(error: BaseException) -> CliError | None:
    from clay_push_service.destinations.secret_box import SecretError

    return CliError(f"{PREFIX}ENCRYPTION_KEYS: {error}", BAD_SETTINGS) if isinstance(error, SecretError) else None


def _describe_database_error(error: BaseException) -> CliError | None:
    import asyncpg
    import psycopg
    from sqlalchemy.exc import DBAPIError

    connection_errors = (
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
    sentence = _message_of_sqlstate(state or "", message)
    if sentence is None and _is_lost(error, cause):
        sentence = STATES["08"]
    if sentence is not None:
        return CliError(sentence, NO_DATABASE)
    if isinstance(cause, connection_errors) or (isinstance(cause, OSError) and _is_network(cause)):
        message = _network_message(cause) or message
        return CliError(f"The database cannot be reached: {message} ({PREFIX}DATABASE_URL).", NO_DATABASE)
    if isinstance(cause, OSError) and isinstance(error, OSError | DBAPIError):
        return CliError(f"{message[:1].upper()}{message[1:]}", REFUSED)
    return _describe_library_error(error)


def _message_of_sqlstate(state: str, message: str) -> str | None:
    if state == INSUFFICIENT_PRIVILEGE:
        return f"The database role lacks a privilege: {message}. Run `clay-push doctor`."
    if state in NO_SUCH_TABLE:
        return f"The database lacks a required object: {message}. Run `clay-push migrate`."
    return next((sentence for prefix, sentence in STATES.items() if state.startswith(prefix)), None)


def _describe_library_error(error: BaseException) -> CliError | None:
    """Errors of libraries that wrap a database error."""
    from alembic.util.exc import CommandError
    from procrastinate.exceptions import ProcrastinateException
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    if isinstance(error, CommandError):
        return CliError(f"The migrations do not fit this database: {error}.", NO_DATABASE)
    if isinstance(error, PoolTimeoutError):
        return CliError("The connection to the database timed out. Try again.", NO_DATABASE)
    if isinstance(error, ProcrastinateException) and error.__cause__ is not None:
        return _describe_database_error(error.__cause__)
    return None


def _is_lost(error: BaseException, cause: BaseException) -> bool:
    """True if the connection broke during a statement. The driver has no SQLSTATE for it, often only "connection is closed"."""
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    kinds = (asyncpg.ConnectionDoesNotExistError, asyncpg.InternalClientError, ConnectionResetError, BrokenPipeError)
    return invalidated or isinstance(cause, kinds) or isinstance(cause.__cause__, kinds)


def _is_network(error: OSError) -> bool:
    """An error without errno is asyncio's, for a host name with several addresses that all failed."""
    return isinstance(error, socket.gaierror | TimeoutError) or error.errno is None or error.errno in NETWORK


def _network_message(error: BaseException) -> str | None:
    """A message for errors that have none, or only a number."""
    match error:
        case socket.gaierror():
            return f"its host name is not found ({error.strerror})"
        case TimeoutError() if not str(error):
            return "no answer in time"
        case _:
            return None
