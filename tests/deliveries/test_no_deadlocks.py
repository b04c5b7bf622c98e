"""Cancels, results, sweeps and closing destinations run concurrently with slices without a deadlock, and every delivery ends."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Streak, Verdict
from clay_push_service.deliveries.claim import claim, mark_sending, release
from clay_push_service.deliveries.results import Result
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.errors import ConflictError
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.sending.result_writer import ResultWriter
from tests.harness.installation import Installation, install

LEASE = timedelta(seconds=30)
TAKEN = Outcome(Verdict.SUCCESS, status=200, resets_streaks=True, submissions=1)
UNSENDABLE = Outcome(Verdict.FAILED, Cause.LEAD_GONE, uses_attempt=False)
LATER = Outcome(Verdict.RETRY, Cause.SERVER_ERROR, 503, counts_toward=Streak.OUTAGE)
REFUSED = Outcome(Verdict.FAILED, Cause.UNAUTHORIZED, 401, counts_toward=Streak.REFUSAL)


@pytest.fixture(autouse=True)
def no_repeated_write() -> Iterator[None]:
    """Fail on every repetition: the result writer logs and repeats a transaction that deadlocked."""
    with capture_logs() as lines:
        yield
    assert [line for line in lines if line["event"] == "results.not_written"] == []


async def write(writer: ResultWriter, results: Iterable[Result]) -> None:
    for result in results:
        writer.add(result)
    await writer.flush()


async def work(
    w: Installation,
    job_id: UUID,
    version_id: UUID,
    outcomes: Iterable[Outcome] = (TAKEN, UNSENDABLE),
    lease: timedelta = LEASE,
) -> None:
    """Run the statements of slices without sending. Raises database errors, including deadlocks."""
    writer = ResultWriter(w.database, 30.0)
    for _ in range(5):
        token = uuid4()
        async with w.database.driver() as connection:
            claims = [each.delivery_id for each in await claim(connection, job_id, token, 100, lease)]
        if not claims:
            return
        async with w.database.driver() as connection:
            sending = await mark_sending(connection, token, claims[:50], lease)
        results = [
            Result(each, job_id, version_id, token, outcome, sent=outcome is not UNSENDABLE)
            for outcome, ids in zip(outcomes, (sorted(sending), claims[50:80]), strict=False)
            for each in ids
        ]
        if results:
            await write(writer, results)
        async with w.database.transaction() as connection:
            await release(connection, token, claims)


async def cancelled(w: Installation, job_id: UUID, after_seconds: float = 0.01) -> None:
    await asyncio.sleep(after_seconds)
    with contextlib.suppress(ConflictError):  # the job has finished
        async with w.database.transaction() as connection:
            await cancel(connection, Actor(w.org_id, "user:test"), job_id)


async def swept(w: Installation, times: int = 1) -> None:
    for _ in range(times):
        async with w.database.transaction() as connection:
            await sweep(connection)
        await asyncio.sleep(0.005)


async def delete_jobs(w: Installation) -> None:
    await w.fetch("DELETE FROM clay.clay_push_log")
    await w.fetch("DELETE FROM clay.push_jobs")


async def test_a_cancel_and_three_workers_never_deadlock(database_url: str) -> None:
    async with install(database_url, leads=800) as w:
        version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
        for _ in range(12):
            job_id = (await w.push()).job_id
            await asyncio.gather(*(work(w, job_id, version_id) for _ in range(3)), cancelled(w, job_id))
            job = await w.job(job_id)
            assert job.status == "cancelled"
            assert job.success_count + job.failed_count + job.skipped_count == job.lead_count == 800
            await delete_jobs(w)


async def test_two_cancels_a_sweep_and_two_workers_never_deadlock(database_url: str) -> None:
    async with install(database_url, leads=800) as w:
        version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
        for _ in range(8):
            job_id = (await w.push()).job_id
            await asyncio.gather(
                *(work(w, job_id, version_id, lease=timedelta(milliseconds=1)) for _ in range(2)),
                swept(w, 8), cancelled(w, job_id), cancelled(w, job_id),
            )  # fmt: skip
            await swept(w)
            assert (await w.job(job_id)).status == "cancelled"
            await delete_jobs(w)


async def test_two_jobs_of_a_destination_that_closes_never_deadlock(database_url: str) -> None:
    """Each worker records refusals of its own job. They close the common destination, and both jobs end."""
    async with install(database_url, leads=600) as w:
        for _ in range(8):
            version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
            jobs = [(await w.push(w.lead_ids[:300])).job_id, (await w.push(w.lead_ids[300:])).job_id]
            await asyncio.gather(
                *(work(w, job_id, version_id, (REFUSED, UNSENDABLE)) for job_id in jobs for _ in range(2))
            )
            [version] = await w.fetch("SELECT state FROM clay.destination_versions WHERE id = :id", id=version_id)
            assert version.state == "closed"
            for job_id in jobs:
                job = await w.job(job_id)
                assert (job.status, job.failed_count) == ("failed", 300), "queued leads fail at once"
            await delete_jobs(w)


async def test_a_retry_of_a_cancelled_job_ends_instead(database_url: str) -> None:
    """A lead whose 5xx arrives after the cancel is not retried, because a cancelled job has no wake-ups and sends nothing."""
    async with install(database_url, leads=10) as w:
        version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
        job_id, token = (await w.push()).job_id, uuid4()
        async with w.database.driver() as connection:
            claims = [each.delivery_id for each in await claim(connection, job_id, token, 10, LEASE)]
        async with w.database.driver() as connection:
            await mark_sending(connection, token, claims, LEASE)
        await cancelled(w, job_id, 0)
        assert (await w.job(job_id)).status == "running" or (await w.job(job_id)).status == "pending"
        results = [Result(each, job_id, version_id, token, LATER, 5.0) for each in claims]
        await write(ResultWriter(w.database, 30.0), results)
        job = await w.job(job_id)
        assert (job.status, job.skipped_count) == ("cancelled", 10)
        assert {row.cause for row in await w.deliveries(job_id)} == {"cancelled"}


async def test_a_result_that_makes_a_lead_wait_queues_a_wake_up(database_url: str) -> None:
    """The slice that sent the lead may have ended, and also the next slice."""
    async with install(database_url, leads=1) as w:
        version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
        job_id, token = (await w.push()).job_id, uuid4()
        async with w.database.driver() as connection:
            [claimed] = await claim(connection, job_id, token, 1, LEASE)
        async with w.database.driver() as connection:
            await mark_sending(connection, token, [claimed.delivery_id], LEASE)
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        result = Result(claimed.delivery_id, job_id, version_id, token, LATER, 5.0)
        await write(ResultWriter(w.database, 30.0), [result])
        [wake] = await w.fetch(
            "SELECT extract(epoch FROM scheduled_at - now()) AS seconds FROM clay.procrastinate_jobs WHERE status = 'todo'"
        )
        assert 3 < wake.seconds <= 5
