"""The connection pool: SQLAlchemy connections, and the driver's own connections for statements that run for every lead."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import Integer, Uuid, bindparam, false, literal, select
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from clay_push_service.database import pool_guard
from clay_push_service.database.database import Database
from clay_push_service.database.failures import UNAVAILABLE, is_about_the_data
from clay_push_service.database.statement import Statement, select_one, select_one_or_none, select_rows

PID = Statement("SELECT pg_backend_pid()", int)


class Numbered(NamedTuple):
    id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class NumberedValue:
    id: UUID
    number: int


NUMBERED = (
    "SELECT id, number FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS integer[])) AS _ (id, number)"
    " WHERE number > :least"
)


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Database]:
    """A pool with a single connection, so that each use gets the same one."""
    database = Database(database_url, pool_size=1)
    yield database
    await database.close()


async def pid(database: Database) -> int:
    async with database.driver() as driver:
        return await PID.one(driver)


@pytest.mark.parametrize("record", [Numbered, NumberedValue])
async def test_a_statement_returns_typed_records_on_either_connection(
    one: Database, record: type[Numbered] | type[NumberedValue]
) -> None:
    ids = [uuid4(), uuid4()]
    values = {"ids": ids, "numbers": [1, 2], "least": 0}
    statement = Statement(NUMBERED, record)
    expected = [record(ids[0], 1), record(ids[1], 2)]
    async with one.driver() as driver:
        assert await statement.rows(driver, values) == expected
        assert list(await statement.rows(driver, values | {"least": 9})) == []
    async with one.transaction() as connection:
        assert await statement.rows(connection, values) == expected
        assert list(await statement.rows(connection, values | {"least": 9})) == []


async def test_a_statement_refuses_columns_that_differ_from_the_fields_of_its_record(one: Database) -> None:
    statements = (
        Statement("SELECT 1 AS number, CAST(NULL AS uuid) AS id", Numbered),
        Statement("SELECT 1 AS number, CAST(NULL AS uuid) AS id", int),
    )
    for statement in statements:
        async with one.driver() as driver:
            with pytest.raises(TypeError, match="columns"):
                await statement.rows(driver)
        async with one.transaction() as connection:
            with pytest.raises(TypeError, match="columns"):
                await statement.rows(connection)


@pytest.mark.parametrize("own", [True, False], ids=["driver", "SQLAlchemy"])
async def test_a_statement_returns_one_row_a_value_or_the_number_of_changed_rows(one: Database, own: bool) -> None:
    numbers = Statement("SELECT number FROM unnest(CAST(:numbers AS integer[])) AS _ (number)", int)
    counted = Statement("UPDATE clay.counted SET n = 2 WHERE n < :most")
    async with one.transaction() as connection:
        await connection.exec_driver_sql("CREATE TABLE clay.counted AS SELECT 1 AS n FROM generate_series(1, 3)")
    async with one.driver() if own else one.transaction() as connection:
        assert await numbers.rows(connection, {"numbers": [3, 1]}) == [3, 1]
        assert await numbers.one(connection, {"numbers": [3]}) == 3
        assert await numbers.one_or_none(connection, {"numbers": []}) is None
        assert await counted.execute(connection, {"most": 2}) == 3
        assert await counted.execute(connection, {"most": 2}) == 0
        with pytest.raises(NoResultFound):
            await numbers.one(connection, {"numbers": []})
        for read in (numbers.one, numbers.one_or_none):
            with pytest.raises(MultipleResultsFound):
                await read(connection, {"numbers": [1, 2]})
        with pytest.raises(KeyError, match="most"):
            await counted.execute(connection)


async def test_a_statement_without_a_record_returns_no_rows(one: Database) -> None:
    async with one.driver() as driver:
        with pytest.raises(TypeError, match="without a record"):
            await Statement("SELECT 1").rows(driver)


async def test_an_expression_that_is_built_for_each_call_returns_records(one: Database) -> None:
    number_of_two = literal(2).label("number")
    async with one.transaction() as connection:
        lead_id = uuid4()
        query = select(literal(lead_id, Uuid()).label("id"), number_of_two)
        assert await select_rows(connection, query, Numbered) == [Numbered(lead_id, 2)]
        assert await select_one(connection, select(number_of_two), int) == 2
        assert await select_one_or_none(connection, select(number_of_two).where(false()), int) is None
        with pytest.raises(TypeError, match="columns"):
            await select_rows(connection, select(number_of_two), Numbered)


async def test_an_expression_as_a_statement_holds_its_own_values(one: Database) -> None:
    statement = Statement(select((bindparam("more", type_=Integer()) + literal(2)).label("number")), int)
    async with one.driver() as driver:
        assert await statement.one(driver, {"more": 40}) == 42
    async with one.transaction() as connection:
        assert await statement.one(connection, {"more": 40}) == 42


async def test_each_statement_of_the_driver_is_its_own_transaction(one: Database) -> None:
    async with one.driver() as driver:
        transaction_id = Statement("SELECT pg_current_xact_id()::text", str)
        first, second = await transaction_id.one(driver), await transaction_id.one(driver)
    assert first != second


async def test_the_same_connection_is_used_again(one: Database) -> None:
    assert await pid(one) == await pid(one)


async def test_a_connection_left_in_a_transaction_is_not_reused(one: Database) -> None:
    before = await pid(one)
    async with one.driver() as driver:
        await driver.execute("BEGIN")
    assert await pid(one) != before


async def test_a_lost_connection_is_not_reused(one: Database) -> None:
    before = await pid(one)
    with pytest.raises(UNAVAILABLE):
        async with one.driver() as driver, driver.transaction():
            await driver.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await pid(one) != before


async def test_a_connection_that_raised_is_not_reused(one: Database) -> None:
    """A server announces its shutdown shortly before it closes the connection."""
    before = await pid(one)
    with pytest.raises(UNAVAILABLE):
        async with one.driver() as driver:
            await driver.fetch("SELECT 1 / 0")
    assert await pid(one) != before


def test_the_error_of_a_connection_in_shutdown_counts_as_unavailable() -> None:
    """Between the announcement and the close, the driver raises "cannot switch to state 15". This error ended a worker in an earlier release."""
    assert issubclass(asyncpg.InternalClientError, UNAVAILABLE)


def test_a_refused_certificate_of_the_database_is_not_an_error_of_the_data() -> None:
    """The error is also a ValueError. If it counted as an error of the data, results would be dropped instead of kept until the database is back."""
    refused = ssl.SSLCertVerificationError("certificate has expired")
    lost = asyncpg.ConnectionDoesNotExistError("connection was closed")
    lost.__cause__ = refused
    assert not is_about_the_data(refused)
    assert not is_about_the_data(lost)


async def test_the_connection_works_after_a_cancelled_statement(one: Database) -> None:
    with pytest.raises(TimeoutError):
        async with one.driver() as driver, asyncio.timeout(0.2):
            await driver.fetch("SELECT pg_sleep(30)")
    async with asyncio.timeout(30):
        assert await pid(one)


@pytest.mark.parametrize("own", [True, False], ids=["driver", "SQLAlchemy"])
@pytest.mark.parametrize(
    ("sql", "value", "data"),
    [
        ("SELECT 1 / CAST(:value AS integer)", 0, True),
        ("SELECT CAST(:value AS integer)", "no number", True),
        ("SELECT CAST(:value AS text)", "a lone surrogate \ud800", True),
        ("SELECT :value::integer FROM clay.no_such_table", 1, False),
    ],
)
async def test_errors_of_the_data_are_recognized_on_both_connections(
    one: Database, sql: str, value: object, own: bool, data: bool
) -> None:
    connected = one.driver if own else one.transaction
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError) if own else DBAPIError) as caught:
        async with connected() as connection:
            await Statement(sql).execute(connection, {"value": value})
    assert is_about_the_data(caught.value) is data


async def test_a_plan_made_for_a_small_table_is_not_kept_when_the_table_has_grown(
    one: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL itself keeps it until the table is analyzed: each statement would read the whole table."""
    find = Statement("SELECT number FROM grown WHERE number = ANY(CAST(:numbers AS integer[]))", int)
    rows_read = Statement("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'grown'", int)
    async with one.driver() as driver:
        await driver.execute("CREATE TABLE grown (number integer PRIMARY KEY)")
        await driver.execute("INSERT INTO grown VALUES (0); ANALYZE grown")
        for _ in range(7):  # after the fifth PostgreSQL plans without values and keeps the plan
            await find.rows(driver, {"numbers": [0]})
        await driver.execute("INSERT INTO grown SELECT generate_series(1, 20000)")
    monkeypatch.setattr(pool_guard, "PLAN_SECONDS", 0.0)
    async with one.driver() as driver, driver.transaction():
        assert await find.rows(driver, {"numbers": [20_000]}) == [20_000]
        assert await rows_read.one(driver) < 20_000
