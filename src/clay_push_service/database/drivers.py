"""Connects with each of the two drivers, asyncpg and psycopg: the same server, TLS, timeouts and session settings.

Both get a password as a value of its own, never inside a text that is parsed again: no error of theirs can show it.
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
"""After these the next host of the URL is tried (InternalClientError: it is not as `target_session_attrs` wants it). A refused
password is none of them: it would be refused everywhere."""
MAJOR = 10_000
"""psycopg's version number divided by this is the major version."""


class DatabaseUnreachableError(ConnectionError):
    """No host of the URL is one that may be written to."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who connects, and what differs from the session settings that all have."""

    url: str = field(repr=False)
    application: str
    settings: Mapping[str, str] = field(default_factory=dict)
    connect_seconds: int = 10
    """For one host, where the URL has no `connect_timeout`."""

    @property
    def parsed(self) -> DatabaseUrl:
        return parse(self.url)

    @property
    def application_name(self) -> str:
        """The URL's own name counts, as with libpq."""
        return self.parsed.application_name or self.application

    @property
    def connect_timeout_seconds(self) -> int:
        return self.parsed.connect_timeout_seconds or self.connect_seconds

    def statements(self, server_major: int) -> str:
        return set_statements(server_major, {**self.parsed.settings, **self.settings})


async def connect(client: Client, *, command_seconds: float) -> asyncpg.Connection:
    """A connection of asyncpg's; `command_seconds` bounds each of its statements by our clock.

    The hosts of the URL are tried one after another, each with the URL's `connect_timeout`. Raises what the last raised.
    """
    url = client.parsed
    failure: Exception | None = None
    for host, port in url.hosts:
        try:
            async with asyncio.timeout(client.connect_timeout_seconds):
                return await _connect(client, url, host, port, command_seconds)
        except asyncpg.TargetServerAttributeNotMatched:
            failure = DatabaseUnreachableError(f"no server is there that is {url.target_session_attrs}")
        except NEXT_HOST as error:
            failure = failure if failure is not None and isinstance(error, FileNotFoundError) else error
    raise failure or DatabaseUnreachableError("the URL names no server")


async def _connect(
    client: Client, url: DatabaseUrl, host: str, port: int, command_seconds: float
) -> asyncpg.Connection:
    connection: asyncpg.Connection = await asyncpg.connect(
        # Only TLS and the password file: asyncpg takes their names nowhere else.
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
    """As libpq does for psycopg: a peer that has vanished ends the connection, also while it is idle."""
    transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001 - asyncpg has no other way to its socket
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
    """Libpq's parameters, to be given to psycopg as keywords with an empty conninfo."""
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
        "options": "",  # PGOPTIONS would count for this driver only
        "prepare_threshold": None,  # a plan that is kept can be invalidated by a migration; the queue's are cheap to make
        **url.tls,
        **({} if url.password is None else {"password": url.password}),
    }


def connect_psycopg(client: Client, *, autocommit: bool = False) -> psycopg.Connection:
    """A connection of psycopg's, for threads and migrations."""
    connection = psycopg.connect("", autocommit=autocommit, **psycopg_arguments(client))
    try:
        connection.execute(client.statements(connection.info.server_version // MAJOR))
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


async def prepare_psycopg(client: Client, connection: psycopg.AsyncConnection) -> None:
    """Give a connection of a psycopg pool its session settings; it is left outside a transaction."""
    await connection.execute(client.statements(connection.info.server_version // MAJOR))
    await connection.commit()


def cut(connection: psycopg.AsyncConnection) -> None:
    """End a psycopg connection that does not answer: whatever waits on it raises OperationalError.

    Cancelling the wait would not do: psycopg then waits for the server's answer to the cancellation.
    """
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)
