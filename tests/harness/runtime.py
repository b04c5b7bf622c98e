"""Creates the role that the code under test runs as. It has only the privileges that `migrate` and `attach` grant.

There is one role per pytest process. Tests use the owner's URL of a database to prepare and to inspect.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest
from psycopg import sql

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.host_schema import read_host_schema
from clay_push_service.host_integration.attach.plan import AttachRequest, make_plan
from tests.harness.databases import TestServer

MAY_NOT = "The role of TEST_DATABASE_URL may not create roles, and the tests run the service as a role of least rights."

# Columns that NexusLeads has and this service must not read. The role has no right to them, so a statement that reads them fails.
SECRETS = """
DO $$
DECLARE
    host_table name;
BEGIN
    FOR host_table IN SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE public.%I ADD COLUMN secret_of_host text DEFAULT ''not for clay-push''', host_table);
    END LOOP;
END
$$;
ALTER TABLE public.users ADD COLUMN hashed_password varchar(255) DEFAULT 'not for clay-push';
"""


@dataclass(frozen=True, slots=True)
class Login:
    name: str
    password: str
    owner: str
    """The role whose URL `runtime_url` replaces."""


_login: Login | None = None
_grants: dict[Vintage, Sequence[str]] = {}


def runtime_role() -> str:
    """Returns the role's name. Skips the test if the role could not be created."""
    if _login is None:
        pytest.skip(MAY_NOT)
    return _login.name


def runtime_url(owner_url: str) -> str:
    """Returns the URL of the same database for the role of least rights. A URL of no test database is returned unchanged."""
    parts = urlsplit(owner_url)
    if not parts.path.startswith("/test_") or (_login is not None and parts.username != _login.owner):
        return owner_url
    name = runtime_role()
    assert _login is not None
    return parts._replace(netloc=f"{name}:{_login.password}@{parts.hostname}:{parts.port}").geturl()


FIRST_WITH_SCRAM_ITERATIONS = 160_000


@contextmanager
def make_runtime_role(server: TestServer) -> Iterator[None]:
    """Create the role for this process. If that is not allowed, tests that need the role are skipped."""
    global _login  # noqa: PLW0603  # one server and one role for each process
    login = Login(f"clay_runtime_{secrets.token_hex(4)}", secrets.token_hex(12), urlsplit(server.url).username or "")
    admin_url = server.url if server.embedded is None else server.embedded.admin_url
    with psycopg.connect(admin_url, autocommit=True) as admin:
        may = admin.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
        if may is None or not may[0]:
            yield
            return
        name = sql.Identifier(login.name)
        if admin.info.server_version >= FIRST_WITH_SCRAM_ITERATIONS:
            admin.execute(
                "SET scram_iterations = 1"
            )  # makes password checks cheap: each test opens about ten connections
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, login.password))
        # Tests connect as the owner. This lets them see which locks the service waits for, and end its connections.
        admin.execute(sql.SQL("GRANT {} TO {}").format(name, sql.Identifier(login.owner)))
    _login = login
    try:
        yield
    finally:
        _login = None
        _grants.clear()
        if server.embedded is None:  # the roles of an embedded server are deleted with it
            with psycopg.connect(admin_url, autocommit=True) as admin:
                admin.execute(sql.SQL("DROP ROLE {}").format(name))


async def open_host(connection: asyncpg.Connection, url: str, vintage: Vintage) -> None:
    """Add the secret columns to the host's tables and grant to the role what `attach --level read` grants.

    `connection` belongs to the tables' owner. Without schema `clay`, this only adds the columns.
    """
    if _login is None or not await connection.fetchval("SELECT to_regnamespace('clay') IS NOT NULL"):
        await connection.execute(SECRETS)
        return
    if vintage not in _grants:
        _grants[vintage] = await _read_level(url)
    await connection.execute(SECRETS + ";\n".join(_grants[vintage]))


async def _read_level(url: str) -> Sequence[str]:
    owner, role = Database(url, pool_size=1), runtime_role()
    try:
        async with owner.transaction() as opened:
            tables = await detect(opened)
            plan = await make_plan(
                opened, tables, await read_host_schema(opened, tables), AttachRequest(Level.READ, role)
            )
    finally:
        await owner.close()
    assert not plan.problems
    # Granted explicitly: a test may have revoked USAGE on the schema from PUBLIC.
    return [f'GRANT USAGE ON SCHEMA public TO "{role}"', *(step.statement for step in plan.steps)]
