"""The pacer of a worker: turns of paced push jobs, and the lease of their workspace."""

import asyncio
from uuid import UUID

from sqlalchemy import text

from tests.harness.installation import Installation, install_with_drainer
from tests.support.receiver import OK, Receiver, status

SECONDS = 20.0


async def until(w: Installation, condition: str, **values: object) -> None:
    """Wait until a query returns a row."""
    async with asyncio.timeout(SECONDS):
        while not await w.fetch(condition, **values):  # noqa: ASYNC110 - the state is another worker's
            await asyncio.sleep(0.02)


async def until_ended(w: Installation, job_id: UUID) -> None:
    await until(w, "SELECT 1 FROM clay.push_jobs WHERE id = :id AND finished_at IS NOT NULL", id=job_id)


async def test_every_paced_lead_is_sent_once_and_the_workspace_is_released(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=30, rate_limit_ms=20) as (w, drainer, clay):
        accepted = await w.push()
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 30
        assert set(clay.leads.values()) == {1}
        await until(w, "SELECT 1 FROM clay.workspaces WHERE served_by IS NULL AND served_until IS NULL")


async def test_a_wake_up_returns_at_once_and_takes_the_lease(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=20, rate_limit_ms=200) as (w, drainer, clay):
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        [row] = await w.fetch("SELECT served_by, served_until > now() AS is_served FROM clay.workspaces")
        assert (row.served_by, row.is_served) == (drainer.context.worker_id, True)
        assert drainer.slices == 0
        await clay.until(2)


async def test_a_single_lead_goes_before_the_rest_of_a_large_push(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=300, rate_limit_ms=100) as (w, drainer, clay):
        large = await w.push(w.lead_ids[1:])
        await drainer.drain(large.job_id)
        await clay.until(3)
        single = await w.push(w.lead_ids[:1])
        await drainer.drain(single.job_id)
        await until_ended(w, single.job_id)
        assert (await w.job(large.job_id)).success_count < 150


async def test_a_wake_up_at_another_worker_reaches_the_one_that_serves_the_workspace(database_url: str) -> None:
    async with (
        install_with_drainer(database_url, leads=300, rate_limit_ms=100) as (w, drainer, clay),
        w.drainer() as other,
    ):
        large = await w.push(w.lead_ids[1:])
        await drainer.drain(large.job_id)
        await clay.until(2)
        single = await w.push(w.lead_ids[:1])
        await other.drain(single.job_id)
        [row] = await w.fetch("SELECT served_by FROM clay.workspaces")
        assert row.served_by == drainer.context.worker_id
        await until_ended(w, single.job_id)
        assert (await w.job(large.job_id)).finished_at is None


async def test_a_stopping_worker_releases_its_claims_and_another_one_adopts_the_workspace(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=25, rate_limit_ms=100) as (w, drainer, clay):
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        await clay.until(3)
        await drainer.stop(5.0)
        rows = await w.deliveries(accepted.job_id)
        assert {row.state for row in rows} <= {"done", "waiting"}
        assert {row.lost_claims for row in rows} == {0}
        async with w.drainer():
            await until_ended(w, accepted.job_id)
        assert set(clay.leads.values()) == {1}
        assert len(clay.leads) == 25


async def test_a_dead_workers_workspace_and_claims_are_adopted_when_its_lease_ends(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=25, rate_limit_ms=100, lease_seconds=75.0) as (
        w,
        drainer,
        clay,
    ):
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        await clay.until(3)
        dead = [task for task in asyncio.all_tasks() if "Drainer.run" in repr(task)]
        assert dead
        for task in dead:
            task.cancel()
        await asyncio.wait(dead)
        assert {"claimed"} < {row.state for row in await w.deliveries(accepted.job_id)}
        async with w.drainer():
            await until(
                w, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM clay.clay_push_log WHERE state NOT IN ('done', 'sending'))"
            )
        assert set(clay.leads.values()) == {1}


async def test_a_lead_that_lost_a_claim_is_prepared_alone_and_sent(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=5, rate_limit_ms=50) as (w, drainer, clay):
        accepted = await w.push()
        await w.fetch("UPDATE clay.clay_push_log SET lost_claims = 2")
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 5
        assert len(clay.posts) == 5


async def test_a_cancelled_push_ends_although_its_leads_are_claimed(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=25, rate_limit_ms=100) as (w, drainer, clay):
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        await clay.until(2)
        await w.fetch("UPDATE clay.push_jobs SET cancel_requested_at = now()")
        await drainer.drain(accepted.job_id)
        await until_ended(w, accepted.job_id)
        job = await w.job(accepted.job_id)
        assert job.status == "cancelled"
        assert job.success_count == len(clay.posts)


async def test_a_long_pause_ends_the_service_and_wakes_one_push_job_at_its_end(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(429, headers="Retry-After: 60\r\n") if number == 1 else OK)
    async with install_with_drainer(database_url, clay, leads=25, rate_limit_ms=100) as (w, drainer, clay):
        accepted = await w.push()
        await w.fetch("DELETE FROM clay.procrastinate_jobs")  # handle the wake-up of the push job
        await drainer.drain(accepted.job_id)
        await until(
            w, "SELECT 1 FROM clay.workspaces WHERE served_by IS NULL AND next_slot_at > now() + interval '30 seconds'"
        )
        await until(
            w,
            "SELECT 1 FROM clay.procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now() + interval '30 seconds'",
        )
        await until(
            w, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM clay.clay_push_log WHERE state IN ('claimed', 'sending'))"
        )
        assert len(clay.posts) <= 4
        assert (await w.job(accepted.job_id)).status == "running"


async def test_leads_of_a_lost_workspace_are_released_and_woken(database_url: str) -> None:
    """Another worker took the workspace and released it before these leads were visible to it."""
    async with install_with_drainer(database_url, leads=5, rate_limit_ms=1000) as (w, drainer, clay):
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        await clay.until(1)
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        await w.fetch("UPDATE clay.workspaces SET served_by = NULL, served_until = NULL")
        await until(w, "SELECT 1 FROM clay.procrastinate_jobs WHERE status = 'todo' AND scheduled_at IS NULL")
        await until(
            w, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM clay.clay_push_log WHERE state IN ('claimed', 'sending'))"
        )
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 5
        assert set(clay.leads.values()) == {1}


async def test_a_worker_that_stops_during_a_claim_keeps_the_lease_for_another_to_adopt(database_url: str) -> None:
    """The claim returns nothing, because this worker already holds all leads. The worker must not release the workspace."""
    async with install_with_drainer(database_url, leads=3, rate_limit_ms=3000) as (w, drainer, _):
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        await until(w, "SELECT 1 FROM clay.clay_push_log WHERE state = 'done'")
        async with w.owner.transaction() as connection:
            await connection.execute(text("LOCK TABLE clay.destinations IN ACCESS EXCLUSIVE MODE"))
            await w.fetch("UPDATE clay.workspaces SET woken_at = clock_timestamp()")
            await until(w, "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'clay.destinations'::regclass")
            stopping = asyncio.create_task(drainer.stop(20.0))
            await until(w, "SELECT 1 FROM clay.workspaces WHERE served_until <= clock_timestamp()")
        await stopping
        [row] = await w.fetch("SELECT served_by FROM clay.workspaces")
        assert row.served_by == drainer.context.worker_id
        assert {each.state for each in await w.deliveries(accepted.job_id)} == {"done", "waiting"}
        async with w.drainer():
            await until(w, "SELECT 1 FROM clay.workspaces WHERE served_by <> :id", id=row.served_by)
