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
NO_SUCH_TABLE = frozenset({"42P01", "3F000"})
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
    said = str(cause).strip().partition("\n")[0]
    if state == INSUFFICIENT_PRIVILEGE:
        return Complaint(f"The database role may not do this: {said}. See `clay-push doctor`.", NO_DATABASE)
    if state in NO_SUCH_TABLE:
        return Complaint(f"The database lacks what this needs: {said}. Run `clay-push migrate`.", NO_DATABASE)
    if isinstance(cause, unreachable_kinds) or (isinstance(cause, OSError) and _is_network(cause)):
        said = _of_network(cause) or said
        return Complaint(f"The database cannot be reached: {said} ({PREFIX}DATABASE_URL).", NO_DATABASE)
    if isinstance(cause, OSError) and isinstance(error, OSError | DBAPIError):
        return Complaint(f"{said[:1].upper()}{said[1:]}", REFUSED)
    return None


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
