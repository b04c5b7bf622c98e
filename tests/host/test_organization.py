"""Members, billing, settings and projects of an organization are read from NexusLeads' tables."""

from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.billing import is_enterprise
from clay_push_service.host.detect import detect
from clay_push_service.host.members import Role, memberships, user_exists
from clay_push_service.host.org_settings import NO_SETTINGS, ClaySettings, clay_settings, organizations_after
from clay_push_service.host.projects import Project, find_project
from clay_push_service.host.tables import SettingsAccess
from tests.harness.nexusleads import NexusLeads
from tests.harness.runtime import runtime_role


async def test_memberships_have_organization_and_role(host: NexusLeads, connection: AsyncConnection) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    user_id = await host.member(acme, "johndoe", "owner")
    await host.add("org_members", org_id=globex, user_id=user_id, role="auditor")
    await host.member(acme, "another-user", "admin")
    found = {member.org_id: member for member in await memberships(connection, host.tables, "johndoe")}
    assert {org_id: member.role for org_id, member in found.items()} == {acme: Role.OWNER, globex: Role.MEMBER}
    assert {member.user_id for member in found.values()} == {user_id}
    assert [member.role for member in await memberships(connection, host.tables, "another-user")] == [Role.ADMIN]


@pytest.mark.parametrize("is_active", [False, None])
async def test_an_inactive_user_is_not_found(
    host: NexusLeads, connection: AsyncConnection, is_active: bool | None
) -> None:
    await host.member(await host.organization(), "gone", "owner", is_active=is_active)
    assert await memberships(connection, host.tables, "gone") == []
    assert not await user_exists(connection, host.tables, "gone")


async def test_a_user_without_an_organization_is_found(host: NexusLeads, connection: AsyncConnection) -> None:
    await host.add("users", username="loner")
    assert await memberships(connection, host.tables, "loner") == []
    assert await user_exists(connection, host.tables, "loner")
    assert not await user_exists(connection, host.tables, "LONER")


async def test_the_billing_row_decides_whether_an_organization_is_on_enterprise(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    enterprise = await host.organization()
    for is_enterprise_in_row, expected, org_id in (
        (True, True, enterprise),
        (False, False, await host.organization()),
        (None, False, await host.organization()),
    ):
        await host.add("org_billing", org_id=org_id, is_enterprise=is_enterprise_in_row)
        assert await is_enterprise(connection, host.tables, org_id) is expected
    assert not await is_enterprise(connection, host.tables, await host.organization())
    await host.connection.execute("DROP TABLE org_billing")
    assert not await is_enterprise(connection, await detect(connection), enterprise)


async def test_clay_settings_are_read_from_the_organization(host: NexusLeads, connection: AsyncConnection) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    for key, value in (("CLAY_WEBHOOK_URL", " https://api.clay.com/x "), ("CLAY_TABLE_NAME", "  "), ("OTHER", "1")):
        await host.add("org_settings", org_id=acme, key=key, value=value)
    found = await clay_settings(connection, await detect(connection), [acme, globex])
    assert found == {acme: ClaySettings("https://api.clay.com/x", None, None), globex: NO_SETTINGS}
    assert "api.clay.com" not in repr(found)


async def test_only_the_rate_falls_back_to_the_installation_wide_setting(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    org_id, other = await host.organization(), await host.organization()
    await host.connection.execute(
        "INSERT INTO app_settings (key, value) VALUES"
        " ('CLAY_RATE_LIMIT_MS', '350'), ('CLAY_WEBHOOK_URL', 'https://api.clay.com/global')"
    )
    await host.add("org_settings", org_id=org_id, key="CLAY_RATE_LIMIT_MS", value="100")
    found = await clay_settings(connection, await detect(connection), [org_id, other])
    assert found == {org_id: ClaySettings(None, None, "100"), other: ClaySettings(None, None, "350")}
    await host.connection.execute("DROP TABLE app_settings; DELETE FROM org_settings")
    assert (await clay_settings(connection, await detect(connection), [org_id]))[org_id].rate_limit_ms is None


async def test_the_role_cannot_read_settings_of_other_services(host: NexusLeads, connection: AsyncConnection) -> None:
    """The role reads the Clay settings only through the function."""
    acme = await host.organization("Acme")
    for key in ("OPENAI_API_KEY", "CLAY_API_KEY", "CLAY_WEBHOOK_URL", "CLAY_WEBHOOK_URL_OLD"):
        await host.add("org_settings", org_id=acme, key=key, value=f"value of {key}")
    await host.connection.execute("INSERT INTO app_settings (key, value) VALUES ('SMTP_PASSWORD', 'x')")
    rows = await connection.execute(text("SELECT key FROM clay.host_settings(:org_id)"), {"org_id": acme})
    assert set(rows.scalars()) == {"CLAY_API_KEY", "CLAY_WEBHOOK_URL"}
    for table in ("org_settings", "app_settings"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            await connection.execute(text(f"SELECT value FROM public.{table}"))


async def test_without_the_function_the_tables_are_read_if_the_role_may_read_them(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    """An earlier release attached without the function, and `attach` has not run again. A role without both rights reads no settings."""
    acme = await host.organization("Acme")
    await host.add("org_settings", org_id=acme, key="CLAY_WEBHOOK_URL", value="https://api.clay.com/x")
    await host.connection.execute("INSERT INTO app_settings (key, value) VALUES ('CLAY_RATE_LIMIT_MS', '350')")
    await host.connection.execute("DROP FUNCTION clay.host_settings(uuid)")
    tables = await detect(connection)
    assert tables.settings is SettingsAccess.NONE
    assert await clay_settings(connection, tables, [acme]) == {acme: NO_SETTINGS}
    await host.connection.execute(f'GRANT SELECT ON org_settings, app_settings TO "{runtime_role()}"')
    tables = await detect(connection)
    assert tables.settings is SettingsAccess.TABLE
    globex = await host.organization("Globex")
    assert await clay_settings(connection, tables, [acme, globex]) == {
        acme: ClaySettings("https://api.clay.com/x", None, "350"),
        globex: ClaySettings(None, None, "350"),
    }


async def test_a_host_without_a_settings_table_has_no_settings_to_read(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    await host.connection.execute("DROP TABLE org_settings")
    assert (await detect(connection)).settings is SettingsAccess.NONE


async def test_organizations_are_read_in_pages_ordered_by_id(host: NexusLeads, connection: AsyncConnection) -> None:
    made = sorted([await host.organization(f"Number {number}") for number in range(5)])
    tables = await detect(connection)
    assert await organizations_after(connection, tables, None, 2) == made[:2]
    assert await organizations_after(connection, tables, made[1], 2) == made[2:4]
    assert await organizations_after(connection, tables, made[3], 2) == made[4:]


async def test_a_project_is_found_only_in_its_organization(host: NexusLeads, connection: AsyncConnection) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    project_id = await host.project(acme, "Platform Leads")
    personal = await host.project(None, "Without organization")
    assert await find_project(connection, host.tables, acme, project_id) == Project(project_id, "Platform Leads")
    assert await find_project(connection, host.tables, globex, project_id) is None
    assert await find_project(connection, host.tables, acme, personal) is None
    assert await find_project(connection, host.tables, acme, uuid4()) is None
