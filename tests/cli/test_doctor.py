"""`clay-push doctor` on databases that work, have problems, or cannot be used."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from clay_push_service.destinations.secret_box import generate_key
from tests.harness.installation import Installation, install
from tests.harness.runtime import runtime_role
from tests.harness.settings import JWT_SECRET, KEY
from tests.harness.shell import command_environment, environment, shell

URL = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


@pytest.fixture
async def working(database_url: str) -> AsyncIterator[Installation]:
    """An installation without problems: configured, with a live worker."""
    async with install(database_url, leads=2, allowed_webhook_networks=(), allow_plain_http=False) as made:
        await made.configure(URL)
        await made.fetch(
            "INSERT INTO clay.workers (id, hostname, pid, version) VALUES (gen_random_uuid(), 'here', 1, '0.1.0')"
        )
        yield made


async def test_doctor_finds_no_problem_in_a_working_installation(working: Installation, tmp_path: Path) -> None:
    result = await shell(tmp_path, "doctor", env=command_environment(working.settings))
    assert result.exit_code == 0, result.out
    for check in ("database", "migrations", "grants", "NexusLeads", "secrets", "workers"):
        assert any(line.split()[:2] == [check, "ok"] for line in result.out.splitlines()), check
    assert "BROKEN" not in result.out
    assert "warning" not in result.out


async def test_doctor_reports_an_unreachable_database(tmp_path: Path) -> None:
    env = environment(database_url="postgresql://u:pass-word@127.0.0.1:1/d", encryption_keys=KEY)
    result = await shell(tmp_path, "doctor", env=env)
    assert result.exit_code == 1
    assert "cannot be reached" in result.out
    assert "pass-word" not in result.out + result.err


async def test_doctor_lists_invalid_settings(tmp_path: Path) -> None:
    result = await shell(tmp_path, "doctor", env=environment(port="no-port"))
    assert result.exit_code == 1
    assert "CLAY_PUSH_DATABASE_URL" in result.out
    assert "CLAY_PUSH_PORT" in result.out


async def test_doctor_reports_missing_migrations_and_missing_nexusleads_tables(
    tmp_path: Path, empty_database_url: str
) -> None:
    env = environment(database_url=empty_database_url, jwt_secret=JWT_SECRET, encryption_keys=KEY)
    result = await shell(tmp_path, "doctor", env=env)
    assert result.exit_code == 1
    assert "clay-push migrate" in result.out
    assert "has no NexusLeads" in result.out


async def test_doctor_names_a_missing_encryption_key(working: Installation, tmp_path: Path) -> None:
    other = generate_key()
    result = await shell(
        tmp_path, "doctor", env=command_environment(working.settings) | {"CLAY_PUSH_ENCRYPTION_KEYS": other}
    )
    assert result.exit_code == 1
    key_id = KEY.partition(":")[0]
    assert f"'{key_id}' is not in the ring" in result.out


async def test_doctor_warns_of_an_encryption_key_that_is_due_for_rotation(
    working: Installation, tmp_path: Path
) -> None:
    env = command_environment(working.settings) | {"CLAY_PUSH_ENCRYPTION_KEYS": f"{generate_key()},{KEY}"}
    result = await shell(tmp_path, "doctor", env=env)
    assert result.exit_code == 0
    assert "clay-push secrets rotate" in result.out


async def test_doctor_reports_due_work_without_a_worker(working: Installation, tmp_path: Path) -> None:
    await working.push()
    await working.fetch("DELETE FROM clay.workers")
    result = await shell(tmp_path, "doctor", env=command_environment(working.settings))
    assert result.exit_code == 1
    assert "no worker is running" in result.out
    assert "clay-push worker" in result.out


async def test_doctor_names_unreadable_host_columns_and_unwritable_own_tables(
    working: Installation, tmp_path: Path
) -> None:
    """The output has the exact columns and the command that grants them. A grant on the whole table would include other columns."""
    await working.fetch(f'REVOKE ALL (is_active) ON public.users FROM "{runtime_role()}"')
    await working.fetch(f'REVOKE UPDATE ON clay.clay_push_log FROM "{runtime_role()}"')
    result = await shell(tmp_path, "doctor", env=command_environment(working.settings) | {"COLUMNS": "400"})
    assert result.exit_code == 1
    assert "may not SELECT is_active of public.users" in result.out
    assert "read grants on NexusLeads" not in result.out, (
        "a problem of readiness must be reported once, with its details"
    )
    assert "`clay-push attach --level read --dry-run`" in result.out
    assert "GRANT SELECT" not in result.out
    assert "clay.clay_push_log" in result.out


@pytest.mark.parametrize("billing", ["true", "false"])
async def test_doctor_checks_the_billing_table_if_billing_is_on(
    working: Installation, tmp_path: Path, billing: str
) -> None:
    await working.fetch(f'REVOKE ALL ON public.org_billing FROM "{runtime_role()}"')
    env = command_environment(working.settings) | {"COLUMNS": "400", "BILLING_ENABLED": billing}
    result = await shell(tmp_path, "doctor", env=env)
    assert ("may not SELECT org_id, is_enterprise of public.org_billing" in result.out) is (billing == "true")
    assert result.exit_code == (1 if billing == "true" else 0)


async def test_insecure_settings_are_reported(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as insecure:
        result = await shell(tmp_path, "doctor", env=command_environment(insecure.settings))
    assert result.exit_code == 0
    assert "CLAY_PUSH_ALLOW_PLAIN_HTTP" in result.out
    assert "CLAY_PUSH_ALLOWED_WEBHOOK_NETWORKS" in result.out


async def test_doctor_changes_nothing(working: Installation, tmp_path: Path, database_url: str) -> None:
    async def counts() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database_url)
        try:
            found: list[asyncpg.Record] = await connection.fetch(
                "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS changes FROM pg_stat_xact_user_tables ORDER BY 1"
            )
            written: list[asyncpg.Record] = await connection.fetch(
                "SELECT xmin::text, * FROM clay.destination_versions"
            )
            return found + written
        finally:
            await connection.close()

    before = await counts()
    await shell(tmp_path, "doctor", env=command_environment(working.settings))
    assert await counts() == before
