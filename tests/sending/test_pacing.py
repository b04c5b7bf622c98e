"""Estimates of a running job's remaining time use its pace or its recent speed, and ignore an outage that has ended."""

from typing import Any
from uuid import UUID

from clay_push_service.deliveries.counters import Counts, add
from tests.harness.api import Api, run_api_with_leads


async def running_since(p: Api, minutes: int, done: int) -> Any:
    """Push all leads in a job that started `minutes` ago. Clay has just accepted `done` of them, and a worker is alive."""
    await p.host.connection.execute(
        "INSERT INTO clay.workers (id, hostname, pid, version) VALUES (gen_random_uuid(), 'a', 1, '1')"
    )
    job_id = await p.queue()
    await p.host.connection.execute(
        "UPDATE clay.push_jobs SET status = 'running', started_at = now() - $2 * interval '1 minute', drained_at = now(), success_count = $3"
        " WHERE id = $1",
        UUID(job_id), minutes, done,
    )  # fmt: skip
    await p.host.connection.execute(
        "UPDATE clay.clay_push_log SET status = 'success', state = 'done', finished_at = now()"
        " WHERE contributor_id = ANY($1)",
        list(p.lead_ids[:done]),
    )  # fmt: skip
    return await p.job(job_id)


async def test_the_estimate_of_a_paced_job_uses_its_pace(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=30, rate_limit_ms=200) as p:
        job = await running_since(p, minutes=40, done=10)
        assert (job["rate"], job["eta_seconds"]) == (5.0, 4.0)


async def test_a_throttled_pace_counts_while_it_is_in_force(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=30, rate_limit_ms=200) as p:
        await p.host.connection.execute(
            "UPDATE clay.workspaces SET throttled_ms = 400, throttled_at = now() + interval '1 minute'"
        )
        job = await running_since(p, minutes=1, done=10)
        assert (job["rate"], job["eta_seconds"]) == (2.5, 8.0)


async def windows(p: Api, job_id: str, seconds: int, last_seconds: int, last_count: int) -> None:
    """The current window began `seconds` ago, the last one `last_seconds` ago with `last_count` outcomes."""
    await p.installation.fetch(
        "UPDATE clay.push_jobs SET window_since = now() - :now * interval '1 second', window_count = success_count,"
        " last_window_since = now() - :last * interval '1 second', last_window_count = :count WHERE id = :job_id",
        job_id=job_id, now=seconds, last=last_seconds, count=last_count,
    )  # fmt: skip


async def test_the_estimate_of_an_unpaced_job_uses_its_recent_speed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=30) as p:
        job = await running_since(p, minutes=40, done=20)
        await windows(
            p, job["id"], seconds=5, last_seconds=200, last_count=10
        )  # a test that takes seconds changes nothing
        job = await p.job(job["id"])
        assert job["rate"] == 0.05
        assert 200 <= job["eta_seconds"] < 220


async def test_an_unpaced_job_whose_last_result_is_long_ago_has_no_estimate(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=30) as p:
        job = await running_since(p, minutes=40, done=20)
        await windows(p, job["id"], seconds=21, last_seconds=200, last_count=10)
        job = await p.job(job["id"])
        assert (job["rate"], job["eta_seconds"]) == (None, None)


async def test_results_begin_a_window_and_keep_the_one_before(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=9) as p:
        job_id = UUID(await p.queue())
        for age, expected in ((None, (1, 1)), (5, (1, 1)), (15, (3, 1)), (25, (4, 4))):
            await p.installation.fetch(
                "UPDATE clay.push_jobs SET window_since = now() - CAST(:age AS float) * interval '1 second' WHERE id = :job_id",
                age=age, job_id=job_id,
            )  # fmt: skip
            async with p.database.transaction() as connection:
                await add(connection, {job_id: Counts(success=1)})
            [job] = await p.installation.fetch("SELECT * FROM clay.push_jobs WHERE id = :job_id", job_id=job_id)
            assert (job.window_count, job.last_window_count) == expected, age


async def test_an_unpaced_job_without_recent_results_has_no_estimate(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as p:
        job = await running_since(p, minutes=1, done=0)
        assert (job["rate"], job["eta_seconds"]) == (None, None)


async def test_a_job_without_a_worker_has_no_estimate_and_reports_it(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3, rate_limit_ms=200) as p:
        job = await running_since(p, minutes=5, done=1)
        assert (job["eta_seconds"], job["warnings"]) == (0.4, [])
        for statement, text in (
            (
                "UPDATE clay.push_jobs SET drained_at = now() - interval '10 minutes'",
                "No worker has worked on this push",
            ),
            ("UPDATE clay.workers SET seen_at = now() - interval '31 s'", "No worker is running"),
            ("DELETE FROM clay.workers", "No worker is running"),
        ):
            await p.host.connection.execute("UPDATE clay.clay_push_log SET due_at = now() - interval '10 minutes'")
            await p.host.connection.execute(statement)
            job = await p.job(job["id"])
            assert (job["rate"], job["eta_seconds"]) == (None, None)
            [warning] = job["warnings"]
            assert warning.startswith(text)


async def test_a_job_that_waits_for_its_first_worker_reports_it(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as p:
        job = await p.job(await p.queue())
        assert (job["status"], job["eta_seconds"]) == ("pending", None)
        [warning] = job["warnings"]
        assert warning.startswith("No worker is running, so nothing is sent.")
