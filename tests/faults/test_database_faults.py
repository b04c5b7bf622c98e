"""PostgreSQL crashes, goes away, falls silent, or loses a commit's answer: workers come back by themselves."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.field import Field, broken_ground
from tests.support.databases import TestServer
from tests.support.proxy import Cut

LEADS = 400


async def test_postgresql_crashes_twice_in_mid_push(database_url: str, tmp_path: Path, postgres: TestServer) -> None:
    server = postgres.embedded
    if server is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with broken_ground(database_url, tmp_path, leads=LEADS, workers=2, delay_seconds=0.05) as field:
        accepted = await field.world.push()
        for part in (60, 120):
            await field.clay.until(part, 30.0)
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.to_thread(server.start_again)
        field.fault_over()
        await field.ended(accepted.job_id, 60.0)
        line = await field.account("PostgreSQL crashes twice", accepted.job_id, "unknown")
        assert line.doubled == 0
        assert field.workers.ended == [], "a restart of the database ends no worker"


async def _away(field: Field, postgres: TestServer, seconds: float, said: str) -> None:
    server = postgres.embedded
    assert server is not None
    accepted = await field.world.push()
    await field.clay.until(60, 30.0)
    await asyncio.to_thread(server.stop, "fast")
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start_again)
    field.fault_over()
    await field.ended(accepted.job_id, 90.0)
    line = await field.account(said, accepted.job_id, "unknown")
    assert line.doubled == 0
    assert 0 not in field.workers.ended, "a worker never ends with 0 unasked"


async def test_postgresql_is_gone_for_a_while(database_url: str, tmp_path: Path, postgres: TestServer) -> None:
    if postgres.embedded is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with broken_ground(database_url, tmp_path, leads=LEADS, delay_seconds=0.05) as field:
        await _away(field, postgres, 5.0, "PostgreSQL gone for 5 s")
        assert field.workers.ended == []


@pytest.mark.faults
@pytest.mark.timeout(400)
async def test_postgresql_is_gone_for_two_minutes(database_url: str, tmp_path: Path, postgres: TestServer) -> None:
    if postgres.embedded is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with broken_ground(database_url, tmp_path, leads=LEADS, workers=2, delay_seconds=0.05) as field:
        await _away(field, postgres, 120.0, "PostgreSQL gone for 2 minutes")
        assert set(field.workers.ended) == {70}, "the watchdog ended them, and they were started again"


async def test_all_connections_are_reset(database_url: str, tmp_path: Path) -> None:
    async with broken_ground(database_url, tmp_path, leads=LEADS, delay_seconds=0.05) as field:
        accepted = await field.world.push()
        for part in (50, 100, 150):
            await field.clay.until(part, 30.0)
            assert field.proxy.reset_all() > 0
        field.fault_over()
        await field.ended(accepted.job_id, 60.0)
        line = await field.account("all connections reset, three times", accepted.job_id)
        assert (line.uncertain, line.doubled) == (0, 0), "the process lives, so it knows what Clay answered"
        assert field.workers.ended == []


async def test_listen_is_lost(database_url: str, tmp_path: Path) -> None:
    """Nobody hears of new push jobs any more; the next one is found all the same."""
    async with broken_ground(database_url, tmp_path, leads=LEADS, delay_seconds=0.005) as field:
        first = await field.world.push(field.world.lead_ids[:50])
        await field.ended(first.job_id, 30.0)
        assert field.proxy.reset_listeners() > 0
        second = await field.world.push()
        field.fault_over()
        await field.ended(second.job_id, 30.0)
        assert set(field.clay.leads.values()) == {1}
        await field.account("LISTEN lost", second.job_id)
        assert field.workers.ended == []


@pytest.mark.parametrize("delivered", [False, True], ids=["not delivered", "answer lost"])
async def test_a_write_of_results_fails_once(database_url: str, tmp_path: Path, delivered: bool) -> None:
    async with broken_ground(database_url, tmp_path, leads=200) as field:
        cut = Cut(b"COMMIT", after=b"AS result (id, kind", delivered=delivered)
        field.proxy.cuts.append(cut)
        accepted = await field.world.push()
        await field.ended(accepted.job_id, 30.0)
        said = "its answer lost" if delivered else "not delivered"
        line = await field.account(f"the commit of results fails, {said}", accepted.job_id)
        assert cut.done == 1
        assert (line.uncertain, line.doubled) == (0, 0)
        assert len(field.clay.posts) == 200


async def test_the_queue_cannot_finish_a_job(database_url: str, tmp_path: Path) -> None:
    """procrastinate leaves it `doing` for ever then; that must change no delivery."""
    async with broken_ground(database_url, tmp_path, leads=200, workers=1) as field:
        cut = Cut(b"procrastinate_finish_job", times=2)
        field.proxy.cuts.append(cut)
        accepted = await field.world.push(field.world.lead_ids[:100])
        await field.ended(accepted.job_id, 30.0)
        again = await field.world.push()
        field.fault_over()
        await field.ended(again.job_id, 30.0)
        await field.account("the queue's completion write fails twice", again.job_id)
        assert cut.done == 2
        assert set(field.clay.leads.values()) == {1}


async def test_a_silent_partition_ends_the_worker_and_the_next_one_goes_on(database_url: str, tmp_path: Path) -> None:
    async with broken_ground(database_url, tmp_path, leads=LEADS, delay_seconds=0.05, watchdog_seconds=3.0) as field:
        accepted = await field.world.push()
        await field.clay.until(60, 30.0)
        field.proxy.partition()
        async with asyncio.timeout(8):
            while not field.workers.ended:  # noqa: ASYNC110 - a test looks, it need not be told
                await asyncio.sleep(0.05)
        assert field.workers.ended == [70]
        field.proxy.heal()
        field.fault_over()
        await field.ended(accepted.job_id, 60.0)
        line = await field.account("silent partition", accepted.job_id, "unknown")
        assert line.doubled == 0
