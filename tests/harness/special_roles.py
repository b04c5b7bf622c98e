"""Creates roles and databases whose names and passwords have special characters, and returns their URLs."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from tests.harness.databases import TestServer, name_of


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class SpecialRole:
    """`admin_url`: the superuser's URL of the same database."""

    role: str
    password: str
    database: str
    url: str
    admin_url: str


def url_of(role: str, password: str, place: str, database: str) -> str:
    return f"postgresql://{quote(role, safe='')}:{quote(password, safe='')}@{place}/{quote(database, safe='')}"


@asynccontextmanager
async def special_role(
    postgres: TestServer, database_url: str, role: str, password: str, database: str
) -> AsyncIterator[SpecialRole]:
    """Create a role that owns the test's database, and rename that database. Skips the test without a superuser."""
    if postgres.embedded is None:
        pytest.skip("needs a superuser")
    suffix = secrets.token_hex(4)  # roles belong to the server, so dropping the database leaves them
    role, database = f"{role}{suffix}", f"{database}{suffix}"
    place = f"127.0.0.1:{postgres.embedded.port}"
    admin = await asyncpg.connect(postgres.embedded.admin_url)
    literal = await admin.fetchval("SELECT quote_literal($1)", password)
    name = name_of(database_url)
    try:
        await admin.execute(f"CREATE ROLE {quoted(role)} LOGIN SUPERUSER PASSWORD {literal}")
        await admin.execute(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(database)}")
        admin_url = urlsplit(postgres.embedded.admin_url)._replace(path="/" + quote(database, safe="")).geturl()
        yield SpecialRole(role, password, database, url_of(role, password, place, database), admin_url)
    finally:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database, timeout=30
        )
        await admin.execute(f"ALTER DATABASE {quoted(database)} RENAME TO {quoted(name)}")
        inside = await asyncpg.connect(urlsplit(postgres.embedded.admin_url)._replace(path=f"/{name}").geturl())
        await inside.execute(f"REASSIGN OWNED BY {quoted(role)} TO CURRENT_USER; DROP OWNED BY {quoted(role)}")
        await inside.close()
        await admin.execute(f"DROP ROLE {quoted(role)}")
        await admin.close()
