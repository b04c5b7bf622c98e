"""The log line of a failed statement has SQLSTATE, relation and statement name, and never a parameter."""

from collections.abc import Awaitable, Callable

import asyncpg
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.members import memberships
from clay_push_service.host.table_cache import HostTableCache
from tests.harness.nexusleads import open_nexusleads
from tests.harness.runtime import runtime_role

CANARY = "canary-in-a-parameter"


async def _caught(act: Callable[[], Awaitable[object]]) -> dict[str, str]:
    try:
        await act()
    except (ValueError, OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        found = failure(error)
        assert CANARY not in str(found)
        return found
    raise AssertionError("nothing failed")


async def test_a_missing_right_is_logged_with_its_statement(database_url: str, database: Database) -> None:
    async with open_nexusleads(database_url, Vintage.TODAY) as host:
        await host.connection.execute(f'REVOKE ALL ON org_members FROM "{runtime_role()}"')

        async def read() -> None:
            async with database.transaction() as connection:
                await memberships(connection, await detect(connection), CANARY)

        found = await _caught(read)
    assert found == {
        "error": "InsufficientPrivilegeError",
        "sqlstate": "42501",
        "relation": "public.users, public.org_members",
        "reason": "permission denied for table org_members",
        "statement": "host.members.memberships",
    }


async def test_an_error_of_the_driver_is_described_in_the_same_way(database: Database) -> None:
    statement = Statement("SELECT 1 FROM clay.no_such_table WHERE name = :name")

    async def read() -> None:
        async with database.driver() as driver:
            await statement.execute(driver, {"name": CANARY})

    found = await _caught(read)
    assert (found["sqlstate"], found["relation"]) == ("42P01", "clay.no_such_table")


async def test_a_statement_of_a_host_read_is_named(database_url: str, database: Database) -> None:
    """The statement runs on the driver's own connection, two layers below the caller."""
    async with open_nexusleads(database_url, Vintage.TODAY):
        found = await _caught(
            lambda: HostTableCache().read(database, lambda driver, _: driver.fetch("SELECT 1 FROM public.none"))
        )
    assert (found["sqlstate"], found["statement"].rpartition(".")[2]) == ("42P01", "_read_cached")


async def test_a_violated_constraint_is_logged_with_its_table_and_without_values(database: Database) -> None:
    async def write() -> None:
        async with database.transaction() as connection:
            await connection.execute(
                text("INSERT INTO clay.attachment (level, host_schema, attached_by) VALUES (:level, 'public', 'x')"),
                {"level": CANARY},
            )

    found = await _caught(write)
    assert (found["sqlstate"], found["relation"]) == ("23514", "clay.attachment")
    assert "reason" not in found


def test_errors_of_psycopg_are_described(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.Error) as raised:
        connection.execute("INSERT INTO clay.attachment (level, host_schema) VALUES ('read', NULL)")
    found = failure(raised.value)
    assert (found["sqlstate"], found["relation"], found["error"]) == ("23502", "clay.attachment", "NotNullViolation")


@pytest.mark.parametrize("error", [ValueError(CANARY), OSError(CANARY), asyncpg.InterfaceError(CANARY)])
def test_other_errors_are_described_by_their_class(error: Exception) -> None:
    assert failure(error) == {"error": type(error).__name__}
