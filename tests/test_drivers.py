"""From one URL, both drivers get the same server, password, timeouts and session settings on a real PostgreSQL."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from clay_push_service import queue
from clay_push_service.database.database import Database
from clay_push_service.database.drivers import Client, DatabaseUnreachableError, connect, connect_psycopg
from clay_push_service.database_url import parse
from clay_push_service.session_settings import PINNED, SINCE
from tests.harness.databases import TestServer, name_of
from tests.harness.special_roles import special_role
from tests.support.proxy import proxying
from tests.support.session_defaults import UNUSUAL_DEFAULTS
from tests.support.special_names import DATABASES, PASSWORDS, ROLES

SHOW = "SELECT current_user::text, current_database()::text, current_setting('application_name')"


async def several(url: str) -> list[tuple[str, Any]]:
    """Returns the value of each pinned setting in `pg_settings`, on a connection of each kind."""
    ask = "SELECT name, setting FROM pg_catalog.pg_settings WHERE lower(name) = ANY(CAST(%s AS text[]))"
    names = sorted(PINNED)
    database = Database(url, pool_size=1)
    found: list[tuple[str, Any]] = []
    async with database.driver() as pooled:
        found.append(("pool", {row[0]: row[1] for row in await pooled.fetch(ask.replace("%s", "$1"), names)}))
    listener = await database.listener()
    found.append(("listen", {row[0]: row[1] for row in await listener.fetch(ask.replace("%s", "$1"), names)}))
    await listener.close()
    await database.close()
    with connect_psycopg(Client(url, "test")) as threaded:
        found.append(("thread", dict(threaded.execute(ask, [names]).fetchall())))
    connector = queue.Connector(url, lambda: None)
    await connector.open_async()
    try:
        rows = await connector.execute_query_all_async(ask.replace("%s", "%(names)s"), names=names)
        found.append(("queue", {row["name"]: row["setting"] for row in rows}))
        async with connector.listening_connection() as listening:
            cursor = await listening.execute(ask, [names])
            found.append(("queue's listen", dict(await cursor.fetchall())))
    finally:
        await connector.close_async()
    return found


async def test_defaults_of_database_and_role_do_not_change_a_connection(database_url: str) -> None:
    """Half of the defaults is set for the database and half for the role, which takes precedence."""
    before = await several(database_url)
    admin = await asyncpg.connect(database_url)
    name = name_of(database_url)
    major = admin.get_server_version().major
    for number, (setting, value) in enumerate(sorted(UNUSUAL_DEFAULTS.items())):
        if SINCE.get(setting, 0) <= major:
            of = f"DATABASE {name}" if number % 2 else f"ROLE CURRENT_USER IN DATABASE {name}"
            await admin.execute(f"ALTER {of} SET {setting} = '{value}'")
    await admin.close()
    raw = await asyncpg.connect(database_url)
    assert await raw.fetchval("SELECT current_setting('bytea_output')") == "escape", (
        "other connections must have the defaults"
    )
    await raw.close()
    for (kind, first), (_, second) in zip(before, await several(database_url), strict=True):
        assert second == first, kind
        assert {key.lower() for key in second} >= {each for each in PINNED if SINCE.get(each, 0) <= major}


def test_every_pinned_setting_is_tested() -> None:
    assert PINNED.keys() - UNUSUAL_DEFAULTS.keys() == {
        "lc_monetary",
        "lc_numeric",
        "lc_time",
    }  # only these locales always exist


@pytest.mark.parametrize("number", [1, 4, 5, 12, 14, 18, 19])
async def test_both_drivers_connect_with_unusual_roles_passwords_and_databases(
    postgres: TestServer, database_url: str, number: int
) -> None:
    async with special_role(postgres, database_url, ROLES[number], PASSWORDS[number], DATABASES[number]) as special:
        client = Client(special.url, "both")
        one = await connect(client, command_seconds=20)
        assert tuple(await one.fetchrow(SHOW) or ()) == (special.role, special.database, "both")
        await one.close()
        with connect_psycopg(client) as two:
            assert two.execute(SHOW).fetchone() == (special.role, special.database, "both")


@pytest.mark.parametrize("query", ["application_name=crm%20push&connect_timeout=17&sslmode=prefer", "ssl=prefer"])
async def test_parameters_reach_both_drivers(database_url: str, query: str) -> None:
    client = Client(f"{database_url}?{query}&options=-c%20work_mem%3D9MB", "both")
    name = "crm push" if "crm" in query else "both"
    one = await connect(client, command_seconds=20)
    assert await one.fetchval("SELECT current_setting('application_name')") == name
    assert await one.fetchval("SELECT current_setting('work_mem')") == "9MB"
    await one.close()
    with connect_psycopg(client) as two:
        query_settings = "SELECT current_setting('application_name'), current_setting('work_mem')"
        assert two.execute(query_settings).fetchone() == (name, "9MB")


def options_of(descriptor: int) -> tuple[int, ...]:
    with socket.socket(fileno=os.dup(descriptor)) as shared:
        return (
            shared.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            *(
                shared.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            ),
        )


def descriptors(port: int) -> Iterator[int]:
    """Returns the file descriptors of this process's connections to the port."""
    for name in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(name.name))) as found:
                if found.family == socket.AF_INET and found.getpeername()[1] == port:
                    yield int(name.name)
        except OSError:
            continue


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", (1, 10, 5, 3, 10_000)),
        ("?keepalives_idle=33&keepalives_interval=7&keepalives_count=4&tcp_user_timeout=8000", (1, 33, 7, 4, 8000)),
    ],
)
async def test_every_socket_has_keepalive_and_a_user_timeout(
    database_url: str, query: str, wanted: tuple[int, ...]
) -> None:
    port = parse(database_url).hosts[0][1]
    database = Database(database_url + query, pool_size=1)
    connector = queue.Connector(database_url + query, lambda: None)
    before = set(descriptors(port))
    async with database.driver():
        listener = await database.listener()
        await connector.open_async()
        async with connector.listening_connection():
            with connect_psycopg(Client(database_url + query, "test")):
                ours = set(descriptors(port)) - before
                assert len(ours) == 5
                assert {options_of(each) for each in ours} == {wanted}
        await connector.close_async()
        await listener.close()
    await database.close()


async def test_the_next_host_is_tried_if_the_first_does_not_respond(database_url: str) -> None:
    async with proxying(1) as silent:  # the proxy accepts connections and forwards no data
        silent.partition()
        start, _, rest = database_url.partition("@")
        place, _, name = rest.partition("/")
        client = Client(
            f"{start}@127.0.0.1:1,127.0.0.1:{silent.port},{place}/{name}?connect_timeout=2"
            "&target_session_attrs=read-write",
            "test",
        )
        one = await connect(client, command_seconds=20)
        assert await one.fetchval("SELECT 1") == 1
        await one.close()
        two = await asyncio.to_thread(connect_psycopg, client)
        assert two.execute("SELECT 1").fetchone() == (1,)
        two.close()


async def test_a_read_only_server_is_refused_if_a_writable_one_is_required(database_url: str) -> None:
    admin = await asyncpg.connect(database_url)
    await admin.execute(f"ALTER DATABASE {name_of(database_url)} SET default_transaction_read_only = on")
    await admin.close()
    client = Client(f"{database_url}?target_session_attrs=read-write", "test")
    with pytest.raises(DatabaseUnreachableError, match="read-write"):
        await connect(client, command_seconds=20)
    with pytest.raises(psycopg.OperationalError):
        connect_psycopg(client)


@pytest.mark.parametrize("password", PASSWORDS)
async def test_no_driver_shows_a_password_when_it_fails(
    password: str, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The server refuses the role or cannot be reached. The pool of the queue logs each failure."""
    secret = password + "-hunter2"
    caplog.set_level("DEBUG")
    report, log = [], ""
    for place in (database_url.partition("@")[2].partition("/")[0], "127.0.0.1:1"):
        client = Client(f"postgresql://no_such_role@{place}/d?password={_encoded(secret)}", "test")
        with pytest.raises((OSError, asyncpg.PostgresError)) as one:
            await connect(client, command_seconds=20)
        with pytest.raises(psycopg.Error) as two:
            connect_psycopg(client)
        connector = queue.Connector(client.url, lambda: None)
        opening = asyncio.create_task(connector.open_async())
        async with asyncio.timeout(60):
            while "error connecting" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.wait([opening])
        with pytest.raises(psycopg.OperationalError) as three:
            await connector.pool.getconn(timeout=0.1)
        await connector.close_async()
        log += caplog.text
        caplog.clear()
        report += [str(each.value) + repr(each.value) for each in (one, two, three)]
    assert "hunter2" not in "".join(report)
    assert "hunter2" not in log


def _encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())
