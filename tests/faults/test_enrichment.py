"""Kills a worker at each step of a run. No lead is started twice, none is lost, and another worker continues."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.enrichment.jobs.enriching import Enriching, enriching
from tests.harness.supervisor import WORKER, Supervisor, supervise

pytestmark = pytest.mark.faults
CRASH_AT = "tests.faults.crash_at"
LEADS = 5
STATES = {
    "run_marked": "starting", "run_taken": "starting", "run_recorded": "running", "page_read": "running",
    "page_not_committed": "running",
}  # fmt: skip
"""The state in which the killed worker leaves the run."""


async def finished(made: Enriching, job_id: str, seconds: float = 90.0) -> None:
    async with asyncio.timeout(seconds):
        while (await made.job(job_id))["finished_at"] is None:
            await made.api.installation.fetch(
                "UPDATE clay.enrichment_runs SET next_poll_at = now() WHERE state = 'running'"
            )
            await asyncio.sleep(0.2)


async def until_held(made: Enriching) -> None:
    """Expire the killed worker's lease, and wait until the sweep of another worker marks the run as held."""
    await made.expire_deadlines(minutes=5)
    async with asyncio.timeout(60):
        while {run.state for run in await made.runs()} != {"held"}:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.1)


async def kill_at(point: str, worker: Supervisor) -> None:
    worker.command = (CRASH_AT, point, "0")
    process = await worker.start_one()
    assert await worker.wait_for_exit(process, 60) == -signal.SIGKILL
    worker.command = WORKER


@pytest.mark.timeout(240)
@pytest.mark.parametrize("point", list(STATES))
async def test_a_worker_killed_at_a_step_of_a_run(database_url: str, tmp_path: Path, point: str) -> None:
    async with (
        enriching(database_url, tmp_path, leads=LEADS, sweep_seconds=0.5) as made,
        supervise(made.api.settings, tmp_path / "worker.log", WORKER) as worker,
    ):
        await made.watch_runs()
        job_id = (await made.enrich())["job_id"]
        await kill_at(point, worker)
        [run] = await made.runs()
        assert run.state == STATES[point]
        await made.api.installation.fetch(
            "UPDATE clay.enrichment_runs SET lease_until = now() WHERE state = 'running' AND lease_until IS NOT NULL"
        )
        await worker.keep_running(1)
        expected: tuple[str, str | None] = ("found", None)
        if STATES[point] == "starting":
            await until_held(made)
            if point == "run_taken":
                [started] = await made.clay_runs()
                await made.report(started["id"])
            else:
                await made.expire_deadlines(hours=25)
                expected = ("expired", "held")
        await finished(made, job_id)
        assert await made.outcomes(job_id) == {expected: LEADS}
        clay = await made.clay()
        assert clay["repeated_items"] == 0
        assert clay["items"] == (0 if point == "run_marked" else LEADS)
        values = await made.api.installation.fetch("SELECT count(*) AS number FROM clay.enriched_values")
        assert values[0].number == (0 if point == "run_marked" else LEADS)
        await made.check_totals()
