"""The sweep ends a dead worker's deliveries or returns them to waiting. A lead that crashes workers is tried alone, then fails as poison."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.sweep import SweepCounts, sweep
from clay_push_service.sending.drainer import Drainer
from tests.harness.installation import Installation, install, install_with_drainer
from tests.support.receiver import OK, Receiver, Stall

SHORT = timedelta(milliseconds=1)


async def swept(w: Installation) -> SweepCounts:
    await asyncio.sleep(0.01)
    async with w.database.transaction() as connection:
        return await sweep(connection)


async def die_with_claims(w: Installation, job_id: UUID, *, sending: int, claimed: int, suspects: bool = False) -> None:
    """Claim and mark leads as a worker does that is then killed: their leases expire."""
    token = uuid4()
    async with w.database.transaction() as connection:
        claims = await claim(connection, job_id, token, sending + claimed, SHORT, suspects=suspects)
        await mark_sending(connection, token, [each.delivery_id for each in claims[:sending]], SHORT)


async def test_sending_becomes_unknown_and_claimed_waits_again(database_url: str) -> None:
    async with install(database_url, leads=10) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        accepted = await w.push()
        await die_with_claims(w, accepted.job_id, sending=3, claimed=4)
        await swept(w)
        rows = await w.deliveries(accepted.job_id)
        assert sorted(row.cause or row.state for row in rows) == ["unknown"] * 3 + ["waiting"] * 7
        job = await w.job(accepted.job_id)
        assert (job.failed_count, job.unknown_count) == (3, 3)
        [meter] = await w.fetch("SELECT used FROM clay.quota_meters")
        assert meter.used == 3, "unknown deliveries count, because Clay may have stored them"


async def test_unknown_and_poison_deliveries_are_logged(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, dict[str, object]]] = []

    class Log:
        def warning(self, event: str, **values: object) -> None:
            logged.append((event, values))

    monkeypatch.setattr("clay_push_service.deliveries.sweep.log", Log())
    async with install(database_url, leads=3) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        accepted = await w.push()
        await die_with_claims(w, accepted.job_id, sending=2, claimed=1)
        await w.fetch("UPDATE clay.clay_push_log SET lost_claims = 3 WHERE state = 'claimed'")
        await swept(w)
        by_cause = {row.cause: [] for row in await w.deliveries(accepted.job_id)}  # type: dict[str, list[str]]
        for row in await w.deliveries(accepted.job_id):
            by_cause[row.cause].append(str(row.id))
    lines = {event: values for event, values in logged if event != "sweep.repaired"}
    assert lines.keys() == {"sweep.unknown", "sweep.poison"}
    for event, values in lines.items():
        assert values["job_id"] == str(accepted.job_id)
        assert sorted(values["delivery_ids"]) == sorted(by_cause[event.removeprefix("sweep.")])  # type: ignore[call-overload]  # a list


async def test_a_lead_that_crashes_its_worker_is_tried_alone_three_times(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=5) as (w, drainer, clay):
        accepted = await w.push()
        await die_with_claims(w, accepted.job_id, sending=0, claimed=5)
        await swept(w)
        for _ in range(3):
            await die_with_claims(w, accepted.job_id, sending=0, claimed=1, suspects=True)
            await swept(w)
        rows = await w.deliveries(accepted.job_id)
        assert [row.cause for row in rows] == ["poison", None, None, None, None]
        await w.drain_all(drainer)
        job = await w.job(accepted.job_id)
        assert (job.status, job.success_count, job.failed_count) == ("completed", 4, 1)
        assert len(clay.posts) == 4


async def test_a_push_job_that_no_worker_drains_is_woken(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=3) as (w, drainer, clay):
        accepted = await w.push()
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        await w.fetch("UPDATE clay.push_jobs SET created_at = created_at - interval '1 minute'")
        await swept(w)
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).status == "completed"
        assert len(clay.posts) == 3


@pytest.mark.parametrize(
    ("scheduled_at", "woken"), [("NULL", 0), ("now() + interval '30 seconds'", 0), ("now() + interval '10 minutes'", 1)]
)
async def test_a_waiting_push_job_is_woken_only_if_its_next_wake_up_is_late(
    database_url: str, scheduled_at: str, woken: int
) -> None:
    """A probe has its own wake-up. A wait of 15 minutes may end sooner, after a change of the webhook or the pace."""
    async with install_with_drainer(database_url, leads=3) as (w, _, _):
        await w.push()
        await w.fetch(f"UPDATE clay.procrastinate_jobs SET scheduled_at = {scheduled_at}")
        await w.fetch("UPDATE clay.push_jobs SET created_at = created_at - interval '1 minute'")
        assert await swept(w) == SweepCounts(woken=woken)


async def test_a_stuck_queue_job_is_removed_and_changes_no_delivery(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=3) as (w, drainer, clay):
        accepted = await w.push()
        await w.fetch("UPDATE clay.procrastinate_jobs SET status = 'doing'")
        await w.fetch("UPDATE clay.procrastinate_events SET at = at - interval '10 minutes'")
        await w.fetch("UPDATE clay.push_jobs SET created_at = created_at - interval '1 minute'")
        await swept(w)
        assert await w.fetch("SELECT 1 FROM clay.procrastinate_jobs WHERE status = 'doing'") == []
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 3
        assert len(clay.posts) == 3


async def test_a_worker_that_resumes_after_its_lease_changes_nothing(database_url: str) -> None:
    """A worker that was frozen past its lease records a result of a delivery that the sweep has ended. The claim token rejects it.

    Two of the three leads get no response. With a single lead, a constraint on the job's counters would also reject the late
    result, and would hide a missing check of the token.
    """
    clay = Receiver(answer=lambda number, _body: OK if number == 0 else Stall(), delay_seconds=1.0)
    async with install_with_drainer(database_url, clay, leads=3, request_timeout_seconds=30.0, lease_seconds=90.0) as (
        w,
        drainer,
        clay,
    ):
        accepted = await w.push()
        task = asyncio.create_task(drainer.drain(accepted.job_id))
        await clay.until(3)
        answered = UUID(clay.posts[0].delivery_id)
        await w.fetch(
            "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second' WHERE id = :id", id=answered
        )
        assert (await swept(w)).unknown == 1
        await until_written(drainer)
        rows = {row.id: row for row in await w.deliveries(accepted.job_id)}
        assert (rows[answered].status, rows[answered].cause) == ("failed", "unknown")
        job = await w.job(accepted.job_id)
        assert (job.success_count, job.failed_count, job.unknown_count) == (0, 1, 1)
        await drainer.stop(0.0)
        await task


async def until_written(drainer: Drainer) -> None:
    """Wait until one response has arrived and its result was written or rejected."""
    async with asyncio.timeout(30):
        while drainer.context.posts_in_flight > 2:  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0.01)
    await drainer.context.result_writer.flush()
