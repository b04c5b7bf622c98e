"""Slots in the database: concurrent workers reserve each slot once, and neither a setting nor a second 429 moves slots back."""

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.destinations.slots import WorkspaceKey, reserve_slots, set_rate, throttle

SLOT = timedelta(milliseconds=100)
JITTER = timedelta(microseconds=10)


@pytest.fixture
async def workspace(database: Database) -> WorkspaceKey:
    """A workspace with a pace of 10 leads a second and no reserved slot."""
    added = WorkspaceKey(uuid4(), uuid4())
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO clay.workspaces (org_id, id, rate_limit_ms, next_slot_at)"
                " VALUES (:org_id, :id, 100, now() - interval '1 minute')"
            ),
            added._asdict(),
        )
    return added


async def reserved(database: Database, workspace: WorkspaceKey, wanted: int) -> list[datetime]:
    async with database.driver() as connection, connection.transaction():
        reservation, _ = await reserve_slots(connection, workspace, wanted)
    return list(reservation.slots)


async def next_slot(database: Database) -> datetime:
    async with database.transaction() as connection:
        found: datetime = (await connection.execute(text("SELECT next_slot_at FROM clay.workspaces"))).scalar_one()
    return found


async def test_no_slot_is_reserved_twice(database: Database, workspace: WorkspaceKey) -> None:
    given = await asyncio.gather(*(reserved(database, workspace, 1) for _ in range(4)))
    slots = sorted(slot for each in given for slot in each)
    assert len(slots) == 4
    assert all(later - earlier >= SLOT - JITTER for earlier, later in itertools.pairwise(slots))


async def test_a_worker_that_waits_for_the_row_gets_the_slots_after_those_of_the_first(
    database: Database, workspace: WorkspaceKey
) -> None:
    """The worker waits for longer than the reserved slots last, so its slots start at the time when it gets the row lock."""
    async with database.driver() as first, first.transaction():
        mine, _ = await reserve_slots(first, workspace, 2)
        waiting = asyncio.create_task(reserved(database, workspace, 1))
        await blocked(database)
        await asyncio.sleep(0.5)
        released = await first.fetchval("SELECT clock_timestamp()")
    [theirs] = await waiting
    assert theirs >= max(mine.slots[-1] + SLOT - JITTER, released)


async def blocked(database: Database) -> None:
    """Wait until a connection waits for a lock."""
    statement = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    async with asyncio.timeout(30):
        while True:
            async with database.transaction() as connection:
                if (await connection.execute(statement)).first() is not None:
                    return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("rate_limit_ms", [100, 150, 60_000])
async def test_a_saved_rate_does_not_move_reserved_slots_back(
    database: Database, workspace: WorkspaceKey, rate_limit_ms: int
) -> None:
    given = await reserved(database, workspace, 6)
    for _ in range(20):
        async with database.driver() as connection, connection.transaction():
            await set_rate(connection, workspace, rate_limit_ms)
    assert await next_slot(database) > given[-1]


async def test_a_shorter_delay_soon_applies_although_the_next_slot_was_distant(
    database: Database, workspace: WorkspaceKey
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE clay.workspaces SET next_slot_at = now() + interval '1 minute'"))
    async with database.driver() as driver, driver.transaction():
        await set_rate(driver, workspace, 100)
        now = await driver.fetchval("SELECT clock_timestamp()")
    assert await next_slot(database) < now + timedelta(seconds=5)


@pytest.mark.parametrize(("requested_ago", "kept"), [("1 minute", True), ("14 minutes", True), ("16 minutes", False)])
async def test_a_saved_rate_keeps_a_pause_that_clay_requested(
    database: Database, workspace: WorkspaceKey, requested_ago: str, kept: bool
) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE clay.workspaces SET next_slot_at = now() + interval '10 minutes',"
                f" throttled_ms = 200, throttled_at = now() - interval '{requested_ago}'"
            )
        )
    before = await next_slot(database)
    async with database.driver() as driver, driver.transaction():
        await set_rate(driver, workspace, 100)
    assert (await next_slot(database) == before) == kept


async def test_a_shorter_retry_after_does_not_shorten_a_longer_pause(
    database: Database, workspace: WorkspaceKey
) -> None:
    for seconds in (300.0, 1.0):
        async with database.transaction() as connection:
            await throttle(connection, workspace, seconds, 20)
    async with database.transaction() as connection:
        row: Any = (
            await connection.execute(
                text("SELECT extract(epoch FROM next_slot_at - now()) AS pause, throttled_ms FROM clay.workspaces")
            )
        ).one()
    assert 250 < row.pause <= 300
    assert row.throttled_ms == 125


async def interval_seconds(database: Database, workspace: WorkspaceKey) -> float:
    """Returns the interval between two slots that are reserved now, after the end of any pause."""
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE clay.workspaces SET next_slot_at = now()"))
    first, second, *_ = await reserved(database, workspace, 2)
    return (second - first).total_seconds()


async def resume(database: Database, seconds_ago: float) -> None:
    """Move the end of the pause of the last 429 to this time."""
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE clay.workspaces SET throttled_at = now() - :ago * interval '1 second'"), {"ago": seconds_ago}
        )


async def test_the_rate_after_a_429_applies_to_every_connection_and_recovers(
    database: Database, workspace: WorkspaceKey
) -> None:
    async with database.transaction() as connection:
        await throttle(connection, workspace, 1.0, 20)
    assert await interval_seconds(database, workspace) == pytest.approx(0.125)
    await resume(database, 1.0)
    assert 0.1 <= await interval_seconds(database, workspace) < 0.103
    await resume(database, 10.0)
    assert await interval_seconds(database, workspace) == pytest.approx(0.1)


async def test_429_responses_to_posts_from_before_the_end_of_the_pause_count_once(
    database: Database, workspace: WorkspaceKey
) -> None:
    for answered_in_ms in (20, 300, 20):
        async with database.transaction() as connection:
            await throttle(connection, workspace, 1.0, answered_in_ms)
    assert await interval_seconds(database, workspace) == pytest.approx(0.125)
    await resume(database, 0.2)
    async with database.transaction() as connection:
        await throttle(connection, workspace, 1.0, 300)  # sent before the pause ended
    assert await interval_seconds(database, workspace) == pytest.approx(0.125)
    await resume(database, 0.2)
    async with database.transaction() as connection:
        await throttle(connection, workspace, 1.0, 20)
    assert await interval_seconds(database, workspace) > 0.14


async def test_a_limit_that_refuses_everything_slows_down_to_one_per_second(
    database: Database, workspace: WorkspaceKey
) -> None:
    for _ in range(30):
        await resume(database, 0.1)
        async with database.transaction() as connection:
            await throttle(connection, workspace, 1.0, 20)
    async with database.driver() as connection:
        [(slowest,)] = await connection.fetch("SELECT throttled_ms FROM clay.workspaces")
    assert slowest == 1250
    await resume(database, 30.0)
    assert await interval_seconds(database, workspace) < 0.111


async def test_after_a_long_pause_the_rate_returns_over_the_same_time(
    database: Database, workspace: WorkspaceKey
) -> None:
    async with database.transaction() as connection:
        await throttle(connection, workspace, 60.0, 20)
    await resume(database, 6.0)  # without the stored time, the set pace is reached after 2 s
    assert await interval_seconds(database, workspace) > 0.11
