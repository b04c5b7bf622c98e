"""Runs every pair of commands concurrently with pauses between statements. A common lock order prevents deadlocks."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.util import await_only

from clay_push_service.errors import ClayPushError
from tests.deliveries.commands import (
    COMMANDS,
    LEADS,
    LONG_TIMEOUTS,
    MOST_SECONDS,
    Command,
    Scene,
)
from tests.harness.installation import Installation, install
from tests.support.receiver import receiving


@contextmanager
def pauses(w: Installation, seed: int) -> Iterator[None]:
    """Pause before each statement, so that the statements of two transactions interleave in many orders."""
    chosen = random.Random(seed)

    def pause(*_: Any) -> None:
        await_only(asyncio.sleep(chosen.uniform(0, MOST_SECONDS)))

    event.listen(w.database.engine.sync_engine, "before_cursor_execute", pause)
    try:
        yield
    finally:
        event.remove(w.database.engine.sync_engine, "before_cursor_execute", pause)


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with receiving() as clay, install(database_url, leads=LEADS * 2, **LONG_TIMEOUTS) as w:
        await w.fetch("UPDATE public.projects SET auto_export_clay_enabled = true")
        yield Scene(w, clay=clay)


async def at_once(scene: Scene, pair: tuple[Command, Command], seed: int) -> None:
    """Run the commands concurrently. A refusal is allowed, because one command may remove rows that the other needs; a deadlock is an error."""
    with pauses(scene.w, seed):
        for found in await asyncio.gather(*(each(scene) for each in pair), return_exceptions=True):
            if isinstance(found, BaseException) and not isinstance(found, ClayPushError):
                found.add_note(" beside ".join(each.__name__ for each in pair))
                raise found


@pytest.mark.parametrize("first", COMMANDS, ids=lambda each: each.__name__)
async def test_no_pair_of_commands_deadlocks(scene: Scene, first: Command) -> None:
    for seed, second in enumerate(COMMANDS[COMMANDS.index(first) :]):
        await scene.set()
        await at_once(scene, (first, second), seed)


ORDER = ("destinations", "push_jobs", "clay_push_log", "destination_versions", "quota_meters")
"""The lock order of `deliveries.counters`: a transaction that waits for a row of one table locks no row of a later table."""
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("place", range(len(ORDER) - 1), ids=ORDER[:-1])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.__name__)
async def test_a_waiting_command_holds_no_lock_that_comes_later_in_the_order(
    scene: Scene, command: Command, place: int
) -> None:
    """An earlier release violated this: a retry locked its push job and waited for the destination, while an erasure held the destination and waited for the job."""
    await scene.set()
    holder, looker = [await asyncpg.connect(scene.w.settings.database_url) for _ in range(2)]
    try:
        await holder.execute("BEGIN")
        await holder.execute(f"SELECT 1 FROM clay.{ORDER[place]} FOR UPDATE")
        running = asyncio.create_task(_refused_or_done(command, scene))
        try:
            while not running.done() and not await looker.fetch(WAITS):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
            if not running.done():
                for table in ORDER[place + 1 :]:
                    rows = await looker.fetchval(f"SELECT count(*) FROM clay.{table}")
                    free = await looker.fetch(f"SELECT 1 FROM clay.{table} FOR NO KEY UPDATE SKIP LOCKED")
                    assert len(free) == rows, f"{command.__name__} waits for {ORDER[place]} and holds {table}"
        finally:
            await holder.execute("ROLLBACK")
            await running
    finally:
        await holder.close()
        await looker.close()


async def _refused_or_done(command: Command, scene: Scene) -> None:
    with contextlib.suppress(ClayPushError):
        await command(scene)
