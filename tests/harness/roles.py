"""Creates the database roles that a customer has: the host's own role, and a role of least rights for the service."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from clay_push_service import migrations
from tests.harness.databases import TestServer


@dataclass(frozen=True, slots=True)
class Roles:
    """`host_url`: all rights on the host's tables, none on this service's. `runtime_url`: only the rights that are granted."""

    runtime: str
    runtime_url: str
    host: str
    host_url: str


@asynccontextmanager
async def least_rights(postgres: TestServer, database_url: str) -> AsyncIterator[Roles]:
    admin_url = database_url
    if postgres.embedded is not None:
        admin_url = urlsplit(postgres.embedded.admin_url)._replace(path=urlsplit(database_url).path).geturl()
    admin = await asyncpg.connect(admin_url)
    names = [f"test_{kind}_{secrets.token_hex(6)}" for kind in ("runtime", "host")]
    password = secrets.token_hex(12)
    try:
        may = await admin.fetchval("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        if not may:
            pytest.skip("The role of TEST_DATABASE_URL may not create roles.")
        for name in names:
            await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        await admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        migrations.upgrade(database_url, names[0])
        yield Roles(names[0], _as(database_url, names[0], password), names[1], _as(database_url, names[1], password))
        for name in names:
            await admin.execute(f"DROP OWNED BY {name}")
            await admin.execute(f"DROP ROLE {name}")
    finally:
        await admin.close()


def _as(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}").geturl()
