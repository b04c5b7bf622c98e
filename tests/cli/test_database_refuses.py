"""Error output when the database refuses a statement: one sentence and an exit code for each error and driver, and no traceback."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import psycopg
import pytest

from clay_push_service.commands import cli_errors
from clay_push_service.database.database import Database
from tests.harness.installation import install
from tests.harness.settings import KEY
from tests.harness.shell import command_environment, environment, shell

REFUSALS = {
    "lock timeout": ("55P03", "Nothing was changed: a lock was not available in time"),
    "statement timeout": ("57014", "Nothing was changed: a statement timed out"),
    "read-only standby": ("25006", "The database is read-only"),
    "missing right": ("42501", "The database role lacks a privilege: refused"),
    "missing table": ("42P01", "The database lacks a required object: refused"),
    "missing column": ("42703", "The database lacks a required object: refused"),
    "deadlock": ("40P01", "Nothing was changed: the transaction conflicted"),
    "too many connections": ("53300", "The database has run out of a resource"),
    "shutdown": ("57P01", "The database closed the connection"),
    "idle for too long": ("25P03", "The database closed the session"),
    "lost connection": ("08006", "The connection to the database was lost"),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "migrate": ("migrate",),
    "attach": ("attach", "--level", "inbox"),
    "detach": ("detach",),
    "push": ("push", "--org", "Organization 1", "--project", "x"),
    "cancel": ("cancel", "--all"),
    "create": ("api-keys", "create", "--name", "x", "--scope", "ops"),
    "list": ("api-keys", "list"),
    "revoke": ("api-keys", "revoke", "x"),
    "rotate": ("secrets", "rotate"),
    "erase": ("erase", "--org", "x", "--lead", "6b0c3f3c-6b7b-4f6e-9a52-0d7f1f6c7f10"),
    "verify": ("verify",),
    "check": ("worker", "--check"),
}


async def raised_by(act: Callable[[], Awaitable[object]]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
        await act()
    return caught.value


def check(error: Exception, sentence: str) -> None:
    result = cli_errors.describe_error(error)
    assert result is not None, repr(error)
    assert result.message.startswith(sentence)
    assert len(result.message.splitlines()) == 1
    assert result.exit_code == cli_errors.NO_DATABASE


@pytest.mark.parametrize("kind", REFUSALS)
async def test_each_database_error_gives_one_sentence_with_every_driver(
    database_url: str, database: Database, kind: str
) -> None:
    """A real server raises the error with its SQLSTATE."""
    state, sentence = REFUSALS[kind]
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$"

    async def sqlalchemy() -> None:
        async with database.transaction() as connection:
            await connection.exec_driver_sql(statement)

    async def driver() -> None:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def libpq() -> None:
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            await connection.execute(statement)

    for act in (sqlalchemy, driver, libpq):
        check(await raised_by(act), sentence)


async def test_a_connection_that_breaks_during_a_statement_gives_one_sentence(
    database_url: str, database: Database
) -> None:
    killer = await asyncpg.connect(database_url)

    async def cut() -> None:
        async with database.transaction() as connection:
            pid = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            await killer.execute("SELECT pg_terminate_backend($1)", pid)
            for _ in range(100):
                await connection.exec_driver_sql("SELECT 1")
                await asyncio.sleep(0)

    try:
        error = await raised_by(cut)
    finally:
        await killer.close()
    result = cli_errors.describe_error(error)
    assert result is not None, repr(error)
    assert (result.exit_code, len(result.message.splitlines())) == (cli_errors.NO_DATABASE, 1)


@pytest.mark.parametrize("command", ["attach", "detach"])
async def test_attach_and_detach_report_a_lock(database_url: str, tmp_path: Path, command: str) -> None:
    async with install(database_url, leads=1) as made:
        blocker = await asyncpg.connect(database_url)
        try:
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE sourcing_jobs IN ACCESS EXCLUSIVE MODE")
                env = command_environment(made.settings) | environment(admin_database_url=database_url)
                result = await shell(tmp_path, *COMMANDS[command], env=env)
        finally:
            await blocker.close()
    assert "Traceback" not in result.err
    if command == "attach":
        assert result.err.strip().startswith("Nothing was changed: a lock was not available in time"), (
            result.err + result.out
        )
        assert result.exit_code == cli_errors.NO_DATABASE


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_reports_a_database_without_nexusleads_in_one_sentence(
    empty_database_url: str, tmp_path: Path, command: str
) -> None:
    if command == "migrate":
        pytest.skip("The command creates the schema.")
    env = environment(database_url=empty_database_url, encryption_keys=KEY)
    result = await shell(tmp_path, *COMMANDS[command], env=env)
    assert result.exit_code != 0
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1, result.err
