"""Connects with both drivers, asyncpg and psycopg, using the same server, TLS, timeouts and session settings.

Both receive the password as a separate value, never inside a text that is parsed again, so no error can show it.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import asyncpg
import psycopg
from asyncpg.connect_utils import SessionAttribute

from clay_push_service.database_url import DatabaseUrl, parse
from clay_push_service.session_settings import set_statements

NEXT_HOST = (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError)
"""Errors after which the next host of the URL is tried (InternalClientError: it does not match `target_session_attrs`). A rejected
password is not among them: every host would reject it."""
MAJOR = 10_000
"""psycopg's version number divided by this is the major version."""


class DatabaseUnreachableError(ConnectionError):
    """No host of the URL accepts writes."""


@dataclass(frozen=True, slots=True)
class Client:
    """Connection parameters of one application, with its overrides of the common session settings."""

    url: str = field(repr=False)
    application: str
    settings: Mapping[str, str] = field(default_factory=dict)
    connect_seconds: int = 10
    """Time limit for one host, if the URL has no `connect_timeout`."""

    @property
    def parsed(self) -> DatabaseUrl:
        return parse(self.url)

    @property
    def application_name(self) -> str:
        """The name in the URL takes precedence, as in libpq."""
        return self.parsed.application_name or self.application

    @property
    def connect_timeout_seconds(self) -> int:
        return self.parsed.connect_timeout_seconds or self.connect_seconds

    def statements(self, server_major: int) -> str:
        return set_statements(server_major, {**self.parsed.settings, **self.settings})


async def connect(client: Client, *, command_seconds: float) -> asyncpg.Connection:
    """Open an asyncpg connection; `command_seconds` is the client-side limit of each statement.

    The hosts of the URL are tried one after another, each with the URL's `connect_timeout`. Raises the last error.
    """
    url = client.parsed
    failure: Exception | None = None
    for host, port in url.hosts:
        try:
            async with asyncio.timeout(client.connect_timeout_seconds):
                return await _connect(client, url, host, port, command_seconds)
        except asyncpg.TargetServerAttributeNotMatched:
            failure = DatabaseUnreachableError(f"no server has target_session_attrs={url.target_session_attrs}")
        except NEXT_HOST as error:
            failure = failure if failure is not None and isinstance(error, FileNotFoundError) else error
    raise failure or DatabaseUnreachableError("the URL contains no server")


async def _connect(
    client: Client, url: DatabaseUrl, host: str, port: int, command_seconds: float
) -> asyncpg.Connection:
    connection: asyncpg.Connection = await asyncpg.connect(
        # Only TLS and the password file: asyncpg has no other parameters for them.
        "postgresql://?" + urlencode(url.tls, quote_via=quote) if url.tls else None,
        host=host,
        port=port,
        user=url.role,
        password=url.password,
        database=url.database,
        command_timeout=command_seconds,
        target_session_attrs=SessionAttribute(url.target_session_attrs),
        server_settings={"application_name": client.application_name},
    )
    try:
        if not host.startswith("/"):
            _watch_network(connection, url)
        await connection.execute(client.statements(connection.get_server_version().major))
    except BaseException:
        connection.terminate()
        raise
    return connection


def _watch_network(connection: asyncpg.Connection, url: DatabaseUrl) -> None:
    """Set TCP keepalive as libpq does for psycopg: a vanished peer ends the connection, also while it is idle."""
    transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001 - asyncpg has no public access to its socket; see tests/test_library_internals.py
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(url.keepalives))
        for name, value in (
            ("TCP_KEEPIDLE", url.keepalives_idle_seconds),
            ("TCP_KEEPINTVL", url.keepalives_interval_seconds),
            ("TCP_KEEPCNT", url.keepalives_count),
            ("TCP_USER_TIMEOUT", url.tcp_user_timeout_ms),
        ):
            option = getattr(socket, name, None)  # macOS has other names
            if option is not None:
                shared.setsockopt(socket.IPPROTO_TCP, option, value)


def psycopg_arguments(client: Client) -> dict[str, Any]:
    """Return libpq's parameters, as keywords for psycopg with an empty conninfo."""
    url = client.parsed
    return {
        "host": ",".join(host for host, _ in url.hosts),
        "port": ",".join(str(port) for _, port in url.hosts),
        "user": url.role,
        "dbname": url.database,
        "application_name": client.application_name,
        "connect_timeout": client.connect_timeout_seconds,
        "target_session_attrs": url.target_session_attrs,
        "keepalives": int(url.keepalives),
        "keepalives_idle": url.keepalives_idle_seconds,
        "keepalives_interval": url.keepalives_interval_seconds,
        "keepalives_count": url.keepalives_count,
        "tcp_user_timeout": url.tcp_user_timeout_ms,
        "client_encoding": "UTF8",
        "options": "",  # PGOPTIONS would affect this driver only
        "prepare_threshold": None,  # a migration can invalidate cached plans, and the queue's plans are cheap
        **url.tls,
        **({} if url.password is None else {"password": url.password}),
    }


def connect_psycopg(client: Client, *, autocommit: bool = False) -> psycopg.Connection:
    """Open a psycopg connection, for threads and migrations."""
    connection = psycopg.connect("", autocommit=autocommit, **psycopg_arguments(client))
    try:
        connection.execute(client.statements(connection.info.server_version // MAJOR))
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


async def prepare_psycopg(client: Client, connection: psycopg.AsyncConnection) -> None:
    """Apply the session settings to a connection of a psycopg pool; leaves no transaction open."""
    await connection.execute(client.statements(connection.info.server_version // MAJOR))
    await connection.commit()


def abort(connection: psycopg.AsyncConnection) -> None:
    """Cut a psycopg connection whose server does not respond: pending operations on it raise OperationalError.

    Cancelling them would not work: psycopg then waits for the server's response to the cancellation.
    """
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)
