"""Counters of a push job: the job finishes once, with its last delivery. Jobs are locked in the order of their ids."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clay_push_service.deliveries import counters
from clay_push_service.deliveries.counters import Counts
from tests.harness.installation import Installation, install

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"


async def add(w: Installation, **counts: Counts) -> None:
    async with w.database.transaction() as connection:
        await counters.add(connection, {UUID(job_id): each for job_id, each in counts.items()})


async def test_a_job_finishes_with_its_last_delivery_and_not_with_that_of_another_job(database_url: str) -> None:
    async with install(database_url, leads=5) as w:
        await w.configure(WEBHOOK)
        first, second = await w.push(w.lead_ids[:2]), await w.push(w.lead_ids[2:])
        await add(w, **{str(first.job_id): Counts(success=2), str(second.job_id): Counts(failed=2, unknown=1)})
        ended, live = await w.job(first.job_id), await w.job(second.job_id)
        assert (ended.status, ended.success_count) == ("completed", 2)
        assert (live.status, live.failed_count, live.unknown_count, live.finished_at) == ("pending", 2, 1, None)


async def test_a_job_finishes_once(database_url: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        await add(w, **{str(accepted.job_id): Counts(failed=2)})
        before = await w.job(accepted.job_id)
        assert before.status == "failed"
        await w.fetch("UPDATE clay.push_jobs SET cancel_requested_at = now()")
        await add(w, **{str(accepted.job_id): Counts()})
        after = await w.job(accepted.job_id)
        assert (after.status, after.finished_at) == ("failed", before.finished_at)


@pytest.mark.parametrize(
    ("counted", "status"),
    [
        (Counts(success=2), "completed"),
        (Counts(success=1, failed=1), "completed"),
        (Counts(failed=1, skipped=1), "failed"),
        (Counts(skipped=2), "completed"),
        (Counts(failed=2, unknown=2), "failed"),
    ],
)
async def test_a_job_finishes_with_the_status_of_its_deliveries(
    database_url: str, counted: Counts, status: str
) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        await add(w, **{str(accepted.job_id): counted})
        assert (await w.job(accepted.job_id)).status == status


async def test_jobs_are_locked_in_the_order_of_their_ids(database_url: str) -> None:
    """The job with the larger id is first in the table, so a scan without ORDER BY would lock it first."""
    async with install(database_url, leads=4) as w:
        await w.configure(WEBHOOK)
        pushed = [await w.push(w.lead_ids[:2]), await w.push(w.lead_ids[2:])]
        low, high = sorted(each.job_id for each in pushed)
        smaller, larger = UUID(int=1), UUID(int=2**128 - 1)
        await w.fetch("ALTER TABLE clay.clay_push_log DROP CONSTRAINT clay_push_log_job_fk")
        await w.fetch("UPDATE clay.push_jobs SET id = :new WHERE id = :old", new=larger, old=high)
        await w.fetch("UPDATE clay.push_jobs SET id = :new WHERE id = :old", new=smaller, old=low)
        lock = text("SELECT 1 FROM clay.push_jobs WHERE id = :id FOR UPDATE NOWAIT")
        async with w.database.transaction() as holder:
            await holder.execute(lock, {"id": smaller})

            async def hold_both() -> None:
                async with w.database.transaction() as connection:
                    await connection.execute(text("SET LOCAL enable_indexscan = off"))
                    await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
                    await counters.lock_jobs(connection, [larger, smaller])

            waiting = asyncio.create_task(hold_both())
            await blocked(w)
            async with w.database.transaction() as third:
                await third.execute(lock, {"id": larger})  # raises if the row is locked
        await waiting


async def blocked(w: Installation) -> None:
    """Wait until a connection waits for a lock."""
    statement = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(30):
        while not await w.fetch(statement):  # noqa: ASYNC110 - another connection has no event
            await asyncio.sleep(0.01)


async def test_a_locked_job_cannot_be_locked_by_another_transaction(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        async with w.database.transaction() as first, w.database.transaction() as second:
            await counters.lock_jobs(first, [accepted.job_id, uuid4()])
            await second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                await counters.lock_jobs(second, [accepted.job_id])
