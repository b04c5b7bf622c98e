"""Detects the vintage of a database, missing tables and columns, and missing rights."""

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.host.columns import SETTINGS_TABLES, Vintage
from clay_push_service.host.detect import HostMissingError, detect
from clay_push_service.host.missing import find_missing
from clay_push_service.host.tables import HostTables, host_tables
from clay_push_service.local_database.nexusleads_tables import create_schema
from tests.harness.nexusleads import NexusLeads
from tests.harness.runtime import runtime_role


async def test_the_vintage_is_detected_and_nothing_is_missing(host: NexusLeads, connection: AsyncConnection) -> None:
    tables = await detect(connection)
    assert tables.vintage is host.vintage
    assert await find_missing(connection, tables) == []


async def test_every_known_column_exists_by_its_name(host: NexusLeads, connection: AsyncConnection) -> None:
    tables = await detect(connection)
    assert tables.leads.name == host.name("leads")
    for word in set(tables.NAMES) - SETTINGS_TABLES:
        table = getattr(tables, word)
        await connection.execute(select(*(column for column in table.c if tables.has(word, column.key))).limit(0))


def test_the_columns_have_our_keys_and_the_names_of_the_host() -> None:
    assert host_tables(Vintage.DOCUMENT).lead_scores.c.lead_id.name == "contributor_id"
    assert host_tables(Vintage.TODAY).lead_scores.c.lead_id.name == "member_id"
    assert host_tables(Vintage.DOCUMENT).stats.name == "contributor_stats"
    assert host_tables(Vintage.TODAY) is host_tables(Vintage.TODAY)


async def test_tables_of_today_take_precedence_over_leftover_tables(empty_database_url: str) -> None:
    raw = await asyncpg.connect(empty_database_url)
    await create_schema(raw, Vintage.TODAY)
    await raw.execute("CREATE TABLE contributors (id uuid PRIMARY KEY)")
    await raw.close()
    assert (await _detected(empty_database_url)).vintage is Vintage.TODAY


async def test_a_view_does_not_decide_the_vintage(empty_database_url: str) -> None:
    raw = await asyncpg.connect(empty_database_url)
    await raw.execute("CREATE TABLE people (id uuid); CREATE VIEW contributors AS SELECT * FROM people")
    await raw.close()
    with pytest.raises(HostMissingError, match="no NexusLeads in schema public"):
        await _detected(empty_database_url)


async def test_a_compatibility_view_beside_the_tables_of_today_changes_nothing(empty_database_url: str) -> None:
    raw = await asyncpg.connect(empty_database_url)
    await create_schema(raw, Vintage.TODAY)
    await raw.execute("CREATE VIEW contributors AS SELECT * FROM members")
    await raw.close()
    assert (await _detected(empty_database_url)).vintage is Vintage.TODAY


async def test_the_host_can_be_in_another_schema(empty_database_url: str) -> None:
    raw = await asyncpg.connect(empty_database_url)
    await create_schema(raw, Vintage.DOCUMENT, schema='Nexus "Leads"')
    await raw.close()
    database = Database(empty_database_url, pool_size=1)
    async with database.transaction() as connection:
        tables = await detect(connection, 'Nexus "Leads"')
        assert (await connection.execute(select(tables.leads.c.id))).all() == []
        with pytest.raises(HostMissingError):
            await detect(connection)
    await database.close()


async def test_missing_tables_and_columns_are_reported_by_the_names_of_the_host(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    await host.connection.execute(f"ALTER TABLE {host.name('leads')} DROP COLUMN bio")
    await host.connection.execute("DROP TABLE social_context")
    found = await find_missing(connection, await detect(connection))
    assert [each.sentence for each in found] == [
        f"column public.{host.name('leads')}.bio does not exist",
        "table public.social_context does not exist",
    ]


async def test_optional_tables_may_be_absent(host: NexusLeads, connection: AsyncConnection) -> None:
    await host.connection.execute("DROP TABLE app_settings; DROP TABLE org_billing")
    tables = await detect(connection)
    assert await find_missing(connection, tables) == []
    assert not tables.has("app_settings")
    assert not tables.has("org_billing")


async def test_unreadable_columns_are_reported(host: NexusLeads, connection: AsyncConnection) -> None:
    role = runtime_role()
    leads = host.name("leads")
    await host.connection.execute(
        f'REVOKE ALL ON users, org_billing FROM "{role}"; REVOKE ALL ON {leads} FROM "{role}";'
        f' GRANT SELECT (id, username) ON {leads} TO "{role}"'
    )
    found = await find_missing(connection, await detect(connection))
    sentences = [each.sentence for each in found]
    assert f"role {role} may not SELECT id, username, is_active of public.users" in sentences
    assert [each for each in sentences if each.startswith(f"role {role} may not SELECT full_name, email, company")]
    assert [each.is_right for each in found] == [True, True]
    assert not (await detect(connection)).has("org_billing")


async def test_the_billing_table_is_required_if_billing_is_on(host: NexusLeads, connection: AsyncConnection) -> None:
    role = runtime_role()
    await host.connection.execute(f'REVOKE ALL ON org_billing FROM "{role}"')
    tables = await detect(connection)
    assert await find_missing(connection, tables) == []
    [closed] = await find_missing(connection, tables, billing_enabled=True)
    assert closed.sentence == f"role {role} may not SELECT org_id, is_enterprise of public.org_billing"


async def _detected(url: str) -> HostTables:
    database = Database(url, pool_size=1)
    try:
        async with database.transaction() as connection:
            return await detect(connection)
    finally:
        await database.close()
