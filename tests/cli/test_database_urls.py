"""Runs every command with database URLs that contain special characters and parameters. No command crashes or shows the password."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from clay_push_service.destinations.secret_box import generate_key
from clay_push_service.host.columns import Vintage
from clay_push_service.local_database.nexusleads_tables import create_schema
from tests.harness.databases import TestServer
from tests.harness.nexusleads import NexusLeads
from tests.harness.shell import CommandResult, environment, shell, start
from tests.harness.special_roles import SpecialRole, special_role
from tests.support.programs import free_port
from tests.support.special_names import DATABASES, PASSWORDS, ROLES

if TYPE_CHECKING:
    from asyncio.subprocess import Process

PARAMETERS = "?sslmode=prefer&application_name=crm%20push&connect_timeout=30&keepalives_idle=20"
ORGANIZATION = "acme"
COMMANDS = (
    ("migrate",),
    ("doctor",),
    ("attach", "--level", "mirror", "--dry-run"),
    ("detach", "--dry-run"),
    ("api-keys", "create", "--name", "nightly", "--scope", "ops"),
    ("api-keys", "list"),
    ("api-keys", "revoke", "none"),
    ("push", "--org", ORGANIZATION, "--project", "none", "--dry-run"),
    ("cancel", "--all"),
    ("erase", "--org", ORGANIZATION, "--lead", "00000000-0000-0000-0000-000000000000"),
    ("secrets", "rotate"),
    ("verify",),
    ("worker", "--check"),
)
REFUSALS = {"revoke", "push", "erase", "--check"}
"""Commands that may exit with 1 after they connect, because they find no rows."""
UNREACHED = ("Traceback", "cannot be reached", "not usable", "Error:")


@pytest.fixture(params=[3, 19], ids=["per%cent", "everything"])
async def special(
    request: pytest.FixtureRequest, postgres: TestServer, database_url: str
) -> AsyncIterator[SpecialRole]:
    number: int = request.param
    async with special_role(
        postgres, database_url, ROLES[number % 12], PASSWORDS[number], DATABASES[number % 12]
    ) as made:
        connection = await asyncpg.connect(made.admin_url)
        await create_schema(connection, Vintage.TODAY)
        await NexusLeads(made.admin_url, Vintage.TODAY, connection).add("organizations", name="Acme", slug=ORGANIZATION)
        await connection.close()
        yield made


def env_of(special: SpecialRole) -> dict[str, str]:
    url = special.url + PARAMETERS
    return environment(
        database_url=url,
        admin_database_url=url,
        encryption_keys=generate_key(),
        jwt_secret="0123456789abcdef-0123456789ABCDEF",
        port=str(free_port()),
        log_format="console",
    )


@pytest.mark.timeout(600)
async def test_every_command_connects_with_an_unusual_url(special: SpecialRole, tmp_path: Path) -> None:
    env = env_of(special)
    for command in COMMANDS:
        shown = await shell(tmp_path, *command, env=env, seconds=120)
        expected = {0, 1} if REFUSALS & set(command) else {0}
        assert shown.exit_code in expected, (command, shown)
        assert not any(each in shown.err for each in UNREACHED), (command, shown)
        assert special.password not in shown.out + shown.err


@pytest.mark.timeout(600)
async def test_serve_and_worker_run_and_write_no_password_to_their_logs(special: SpecialRole, tmp_path: Path) -> None:
    env = env_of(special) | {"CLAY_PUSH_LOG_LEVEL": "DEBUG"}
    process: Process = await start(tmp_path, "serve", "--with-worker", env=env)
    reading = asyncio.create_task(process.communicate())
    admin = await asyncpg.connect(special.admin_url)
    try:
        async with asyncio.timeout(120), httpx.AsyncClient(trust_env=False) as http:
            while await admin.fetchval("SELECT count(*) FROM clay.workers") == 0:
                assert not reading.done(), reading.result()
                await asyncio.sleep(0.1)
            url = f"http://127.0.0.1:{env['CLAY_PUSH_PORT']}/readyz"
            while not (await _is_ready(http, url)):  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.1)
            # the pool of the queue logs lost connections
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", special.role
            )
            names = "SELECT array_agg(DISTINCT application_name) FROM pg_stat_activity WHERE usename = $1"
            while await admin.fetchval(names, special.role) != ["crm push"]:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(reading, 60)
        shown = CommandResult(process.returncode or 0, out.decode(), err.decode())
        assert shown.exit_code == 0, shown
        assert "Traceback" not in shown.err
        assert special.password not in shown.out + shown.err
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait([reading])
        await admin.close()


async def _is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False
