"""A logged traceback of a database error shows the place and the kind of the error, but no row and no value."""

import asyncpg
import psycopg
import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.database.drivers import Client, connect_psycopg
from clay_push_service.logs import format_exception

CANARY = "canary-28950e77"


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("INSERT INTO t VALUES (:value)", "[23514] new row for relation"),
        ("SELECT CAST(CAST(:value AS text) AS uuid)", "[22P02]"),
        ("SELECT CAST(:value AS uuid)", "DataError"),
        ("SELECT nothing_of_ours FROM t WHERE n = :value", 'column "nothing_of_ours" does not exist'),
    ],
)
async def test_a_traceback_shows_the_error_without_the_data(database: Database, statement: str, kept: str) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("CREATE TEMP TABLE t (n text, CONSTRAINT nobody CHECK (n = ''))"))
        with pytest.raises(Exception, match=r".") as caught:
            await connection.execute(text(statement), {"value": CANARY})
    report = format_exception((caught.type, caught.value, caught.tb))
    assert kept in report
    assert "test_a_traceback_shows_the_error_without_the_data" in report
    assert CANARY not in report


async def test_a_traceback_of_either_driver_shows_no_row(database_url: str) -> None:
    statements = "CREATE TEMP TABLE t (n text PRIMARY KEY); INSERT INTO t VALUES ('{0}'); INSERT INTO t VALUES ('{0}')"
    one = await asyncpg.connect(database_url)
    with pytest.raises(asyncpg.PostgresError, match=CANARY) as caught:
        await one.execute(statements.format(CANARY))
    await one.close()
    with connect_psycopg(Client(database_url, "test")) as two, pytest.raises(psycopg.Error, match=CANARY) as also:
        two.execute(statements.format(CANARY))
    for report in (
        format_exception((caught.type, caught.value, caught.tb)),
        format_exception((also.type, also.value, also.tb)),
    ):
        assert "[23505] duplicate key" in report
        assert CANARY not in report
