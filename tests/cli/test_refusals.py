"""Every command with a database that fails in several ways: one sentence on standard error, an exit code, and no traceback."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from tests.harness.databases import TestServer
from tests.harness.installation import Installation, install
from tests.harness.runtime import runtime_role, runtime_url
from tests.harness.served import first_answer
from tests.harness.settings import KEY
from tests.harness.shell import CommandResult, environment, shell
from tests.harness.warm_shell import Running, WarmShell, warm_shell
from tests.support.programs import free_port
from tests.support.proxy import Cut, proxying
from tests.support.standby import standby

SECONDS = 100.0
WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


@dataclass(frozen=True, slots=True)
class Cell:
    exit_code: int
    message: str = ""
    """How the one line on standard error starts; "" means that standard error is empty. For `serve` and `worker`: a part of the log."""
    shows: str = ""
    """A part of standard output. For `serve`: a part of the status and body of /readyz."""
    many: bool = False
    """Standard error has several lines that start with `message`."""


def lost(sentence: str) -> dict[str, Cell]:
    """Returns the expected results in a condition in which commands cannot read the database."""
    return {
        "*": Cell(3, sentence),
        "doctor": Cell(1, shows=sentence),
        "serve": Cell(0, "serve.started", '503 {"type":"urn:clay-push:problem:not_ready"'),
        "worker": Cell(0, "worker.heartbeat_failed"),
    }


LOST = "The connection to the database was lost, so the last change may or may not have been made."
READ_ONLY = "The database is read-only: it is a standby"
MAY_NOT = "The database role lacks a privilege: "
LACKS = "The database lacks a required object: "
NO_HOST = "This database has no NexusLeads in schema public"
CELLS: Mapping[str, Mapping[str, Cell]] = {
    "lock": lost("Nothing was changed: a lock was not available in time")
    | {"worker": Cell(0, "worker.started")},  # waits for the lock, and still ends properly
    "refused": lost("The database cannot be reached: "),
    "cut": lost(LOST),
    "commit": lost(LOST) | {"migrate": Cell(3, "The database cannot be reached: ")},  # loses the connection in its first transaction
    "no database": lost("The database cannot be reached: "),
    "standby": lost(READ_ONLY)
    | {
        # these commands only read
        "attach --dry-run": Cell(0, shows="Would do:"),
        "detach --dry-run": Cell(0, shows="Nothing was changed"),
        "push --dry-run": Cell(0, shows="Nothing was queued."),
        "list": Cell(0, shows="first"),
        "verify": Cell(0, shows="wake_ups"),
        "check": Cell(1, "No worker of "),
        "doctor": Cell(1, shows="is read-only: it is a standby."),
    },
    "right": lost(MAY_NOT)
    | {
        "attach": Cell(1, "Problem: ", many=True),
        "attach --dry-run": Cell(1, "Problem: ", many=True),
        "detach --dry-run": Cell(0, shows="Nothing was changed"),
        "doctor": Cell(1, shows="The database role has no grants on schema clay"),
    },
    "empty": lost(LACKS)
    | dict.fromkeys(
        ("attach", "attach --dry-run", "detach", "detach --dry-run", "push", "push --watch", "push --dry-run", "erase", "create"),
        Cell(1, NO_HOST),
    )
    | {"migrate": Cell(0, shows="Schema clay is at revision"), "doctor": Cell(1, shows=NO_HOST)},
}  # fmt: skip
REVOKED = (
    "INSERT, UPDATE ON clay.push_jobs",
    "SELECT ON clay.quota_meters",
    "INSERT, SELECT ON clay.api_keys",
    "SELECT ON clay.destination_versions",
    "SELECT, INSERT ON clay.workers",
    "SELECT ON clay.alembic_version",
)


@dataclass(frozen=True, slots=True)
class Scene:
    installation: Installation
    url: str
    """Run a statement as the owner of the database."""
    server: TestServer


Place = AbstractAsyncContextManager[str]
"""Creates the condition. Yields the owner's URL for the commands."""


def moved(url: str, *, port: int | None = None, database: str | None = None) -> str:
    parts = urlsplit(url)
    netloc = f"{parts.username}:{parts.password}@{parts.hostname}:{port or parts.port}"
    return parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path).geturl()


@asynccontextmanager
async def lock(scene: Scene) -> AsyncIterator[str]:
    blocker = await asyncpg.connect(scene.url)
    try:
        async with blocker.transaction():
            names = await blocker.fetchval(
                "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables"
                " WHERE schemaname IN ('clay', 'public')"
            )
            await blocker.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            yield scene.url
    finally:
        await blocker.close()


@asynccontextmanager
async def refused(scene: Scene) -> AsyncIterator[str]:
    with socket.socket() as silent:  # the port is bound, but no process listens
        silent.bind(("127.0.0.1", 0))
        yield moved(scene.url, port=silent.getsockname()[1])


def cutting(cut: Cut) -> Callable[[Scene], Place]:
    @asynccontextmanager
    async def place(scene: Scene) -> AsyncIterator[str]:
        async with proxying(urlsplit(scene.url).port or 5432) as proxy:
            proxy.cuts.append(cut)
            yield moved(scene.url, port=proxy.port)

    return place


@asynccontextmanager
async def replica(scene: Scene) -> AsyncIterator[str]:
    if scene.server.embedded is None:
        pytest.skip("needs a PostgreSQL that it may copy")
    with standby(scene.server) as server:
        copy = await asyncpg.connect(moved(scene.url, port=server.port))
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):  # SQLSTATE 25006, even after this SET
            await copy.execute("SET default_transaction_read_only = off; DELETE FROM clay.workers")
        await copy.close()
        yield moved(scene.url, port=server.port)


@asynccontextmanager
async def right(scene: Scene) -> AsyncIterator[str]:
    for each in REVOKED:
        await scene.installation.fetch(f"REVOKE {each} FROM {runtime_role()}")
    yield scene.url


@asynccontextmanager
async def no_database(scene: Scene) -> AsyncIterator[str]:
    yield moved(scene.url, database="test_of_no_name")


@asynccontextmanager
async def empty(scene: Scene) -> AsyncIterator[str]:
    url = await asyncio.to_thread(scene.server.create)
    try:
        yield url
    finally:
        await asyncio.to_thread(scene.server.drop, url)


CONDITIONS: Mapping[str, Callable[[Scene], Place]] = {
    "lock": lock,
    "refused": refused,
    "cut": cutting(Cut(b"clay.", times=10**6)),
    "commit": cutting(Cut(b"COMMIT", times=10**6, delivered=True)),
    "no database": no_database,
    "standby": replica,
    "right": right,
    "empty": empty,
}


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmShell]:
    with warm_shell(tmp_path_factory.mktemp("warm")) as made:
        yield made


async def commands(installation: Installation) -> Mapping[str, tuple[str, ...]]:
    """Returns commands that have work to do in this installation."""
    await installation.configure(WEBHOOK)
    await installation.push(installation.lead_ids[:1])
    async with installation.database.transaction() as connection:
        await create_key(connection, "first", [installation.org_id], {Scope.READ}, "test")
    [key] = await installation.fetch("SELECT prefix FROM clay.api_keys")
    org, lead = str(installation.org_id), str(installation.lead_ids[0])
    push = ("push", "--org", org, "--project", str(installation.project_id))
    attach = ("attach", "--level", "inbox")
    return {
        "attach": attach,
        "attach --dry-run": (*attach, "--dry-run"),
        "detach": ("detach",),
        "detach --dry-run": ("detach", "--dry-run"),
        "push": push,
        "push --watch": (*push, "--watch"),
        "push --dry-run": (*push, "--dry-run"),
        "cancel": ("cancel", "--all"),
        "erase": ("erase", "--org", org, "--lead", lead),
        "create": ("api-keys", "create", "--name", "x", "--scope", "read", "--org", org),
        "list": ("api-keys", "list"),
        "revoke": ("api-keys", "revoke", key.prefix),
        "rotate": ("secrets", "rotate"),
        "verify": ("verify",),
        "doctor": ("doctor",),
        "check": ("worker", "--check"),
        "serve": ("serve",),
        "worker": ("worker",),
        "migrate": ("migrate",),
    }


async def end_served(running: Running, port: int) -> CommandResult:
    async with asyncio.timeout(SECONDS):
        answer = await first_answer(port, SECONDS)
    running.signal(signal.SIGTERM)
    ended = await running.result(SECONDS)
    return CommandResult(ended.exit_code, f"{answer.status_code} {answer.text}", ended.err)


async def end_worker(running: Running, sign: str) -> CommandResult:
    """Send SIGTERM when the log contains `sign`. Without SIGTERM, the worker would retry for ever."""
    async with asyncio.timeout(SECONDS):
        while sign not in running.err.read_text() and not running.ended.done():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    running.signal(signal.SIGTERM)
    return await running.result(SECONDS)


def is_wrong(cell: Cell, result: CommandResult, *, logs: bool) -> bool:
    lines = result.err.strip().splitlines()
    if logs:
        is_expected = cell.message in result.err
    elif cell.many:
        is_expected = len(lines) > 1 and all(line.startswith(cell.message) for line in lines)
    else:
        is_expected = result.err.startswith(cell.message) and len(lines) == bool(cell.message)
    # a worker's JSON line about a failed slice may contain a traceback in its field `exception`
    broke = any(line.startswith("Traceback") for line in lines) or "Traceback" in result.out
    return broke or not is_expected or result.exit_code != cell.exit_code or cell.shows not in result.out


@pytest.mark.timeout(300)
@pytest.mark.parametrize("condition", CONDITIONS)
async def test_every_command_ends_with_one_sentence_and_an_exit_code(
    database_url: str, postgres: TestServer, warm: WarmShell, tmp_path: Path, condition: str
) -> None:
    cells = CELLS[condition]
    async with install(database_url, leads=3) as installation:
        given = await commands(installation)
        async with CONDITIONS[condition](Scene(installation, database_url, postgres)) as url:
            port = free_port()
            admin = {"admin_database_url": runtime_url(url)} if condition == "right" else {}
            env = environment(database_url=url, encryption_keys=KEY, log_format="json", port=str(port), **admin)
            env |= {"CLAY_PUSH_WATCHDOG_SECONDS": "300", "COLUMNS": "1000"}  # wide enough that tables do not wrap

            async def run(name: str) -> CommandResult:
                running = warm.start(*given[name], env=env)
                match name:
                    case "serve":
                        return await end_served(running, port)
                    case "worker":
                        return await end_worker(running, cells["worker"].message)
                    case _:
                        return await running.result(SECONDS)

            last = ["migrate"] if condition == "empty" else []  # the others need a missing schema
            first = [name for name in given if name not in last]
            own, *result = await asyncio.gather(
                shell(tmp_path, *given["push"], env=env, seconds=SECONDS), *(run(name) for name in first)
            )
            result += [await run(name) for name in last]
    table = {**dict(zip((*first, *last), result, strict=True)), "push as a process of its own": own}
    broken = {
        name: each
        for name, each in table.items()
        if is_wrong(cells.get(name.partition(" as")[0], cells["*"]), each, logs=name in {"serve", "worker"})
    }
    assert broken == {}
