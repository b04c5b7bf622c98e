"""The rights that `attach` grants and `detach` revokes: exact columns and the settings function. An error if a right cannot be granted."""

from pathlib import Path

import pytest

from clay_push_service.host.detect import detect
from clay_push_service.host.tables import SettingsAccess
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.drift import find_drift, find_missing_rights
from tests.harness.attached import install_attached
from tests.harness.installation import install
from tests.harness.roles import Roles
from tests.harness.runtime import runtime_role
from tests.harness.shell import environment, shell

MAY_READ = """
SELECT has_table_privilege($1, 'public.users', 'SELECT'), has_column_privilege($1, 'public.users', 'username', 'SELECT'),
       has_any_column_privilege($1, 'public.org_settings', 'SELECT'), has_any_column_privilege($1, 'public.app_settings', 'SELECT')
"""
FUNCTION = """
SELECT prosecdef, proconfig, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc
WHERE pronamespace = 'clay'::regnamespace AND proname = 'host_settings'
"""


async def test_level_read_grants_the_columns_and_creates_the_settings_function(
    database_url: str, roles: Roles, tmp_path: Path
) -> None:
    async with install_attached(database_url, None, leads=1) as a:
        await a.host.connection.execute("DROP FUNCTION clay.host_settings(uuid)")
        env = environment(database_url=roles.runtime_url, admin_database_url=database_url, encryption_keys="")
        done = await shell(tmp_path, "attach", "--level", "read", env=env)
        assert done.exit_code == 0, done.err
        assert "Attached at level read." in done.out
        [found] = await a.host.connection.fetch(MAY_READ, roles.runtime)
        assert tuple(found) == (False, True, False, False)
        [found] = await a.host.connection.fetch(FUNCTION)
        assert tuple(found) == (True, ["search_path=pg_catalog, pg_temp"], False)
        again = await shell(tmp_path, "attach", "--level", "read", env=env)
        assert "nothing: everything is in place" in again.out


@pytest.mark.parametrize("level", list(Level))
async def test_a_role_that_cannot_grant_changes_nothing_and_reports_it(
    database_url: str, roles: Roles, tmp_path: Path, level: Level
) -> None:
    """PostgreSQL only warns about a GRANT without the right to grant, so the command must check the result."""
    async with install_attached(database_url, None, leads=1) as a:
        await a.host.connection.execute(f"GRANT USAGE ON SCHEMA public TO {roles.runtime}")
        env = environment(database_url=roles.runtime_url, admin_database_url=roles.runtime_url)
        done = await shell(tmp_path, "attach", "--level", level, env=env)
        assert done.exit_code == 1
        assert "Attached" not in done.out
        assert f'GRANT SELECT ("id", "username", "is_active") ON "public"."users" TO "{roles.runtime}"' in done.err
        assert "Traceback" not in done.err
        assert await a.host.connection.fetchval("SELECT count(*) FROM clay.attachment") == 0


async def test_an_older_attachment_works_and_attach_revokes_its_rights_on_the_settings_tables(
    database_url: str,
) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=1) as a:
        await a.host.connection.execute("DROP FUNCTION clay.host_settings(uuid)")
        for table in ("org_settings", "app_settings"):
            await a.host.connection.execute(f'GRANT SELECT (key, value) ON {table} TO "{runtime_role()}"')
        await a.host.connection.execute(f'GRANT SELECT (org_id) ON org_settings TO "{runtime_role()}"')
        async with a.installation.database.transaction() as connection:
            tables = await detect(connection)
            _, drift = await find_drift(connection, tables)
            assert tables.settings is SettingsAccess.TABLE
            assert [each for each in drift if "public.org_settings" in each]
            assert await find_missing_rights(connection, tables) == []
        await a.attach(Level.MIRROR)
        [found] = await a.host.connection.fetch(MAY_READ, runtime_role())
        assert tuple(found)[2:] == (False, False)
        async with a.installation.database.transaction() as connection:
            tables = await detect(connection)
            assert tables.settings is SettingsAccess.FUNCTION
            assert (await find_drift(connection, tables))[1] == []


async def test_a_right_that_is_revoked_after_attach_is_reported(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=1) as a:
        await a.host.connection.execute(f'REVOKE UPDATE (status) ON sourcing_jobs FROM "{runtime_role()}"')
        await a.host.connection.execute("DROP FUNCTION clay.host_settings(uuid)")
        async with a.installation.database.transaction() as connection:
            assert await find_missing_rights(connection, await detect(connection)) == [
                f"role {runtime_role()} may not UPDATE status of public.sourcing_jobs",
                f"role {runtime_role()} may not call function clay.host_settings(uuid), which reads the settings for Clay",
            ]


async def test_detach_drops_the_function_and_prints_each_revoke(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as w:
        env = environment(database_url=database_url)
        assert (await shell(tmp_path, "attach", "--level", "inbox", env=env)).exit_code == 0
        done = await shell(tmp_path, "detach", env=env)
        assert done.exit_code == 0, done.err
        revokes = [line.strip().removesuffix(";") for line in done.out.splitlines() if "REVOKE" in line]
        assert [each for each in revokes if each.startswith('REVOKE SELECT ("id", "username", "is_active")')]
        for revoke in revokes:
            await w.fetch(revoke)
        [row] = await w.fetch(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " CROSS JOIN LATERAL aclexplode(a.attacl) AS granted"
            " WHERE c.relnamespace = 'public'::regnamespace AND granted.grantee = CAST(:role AS regrole)",
            role=runtime_role(),
        )
        assert row[0] == 0
        assert await w.fetch(FUNCTION) == []
