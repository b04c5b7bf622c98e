"""The sweep with several workers: one run for each due time, and an error of one schedule does not delay others."""

from datetime import timedelta
from uuid import UUID

from clay_push_service.schedules.sweep import MAX_ATTEMPTS
from tests.harness.installation import Installation, install
from tests.schedules.concurrent_sweeps import WEBHOOK, sweep_concurrently
from tests.schedules.planned import make_due, plan, runs, stored, sweep


async def test_eight_workers_run_each_due_time_once(database_url: str) -> None:
    await sweep_concurrently(database_url, schedules=20, rounds=3)


async def _fail_all_runs(made: Installation) -> None:
    """From now on, each run that would queue leads ends with an error of the database."""
    await made.fetch(
        "ALTER TABLE clay.push_jobs ADD CONSTRAINT none_by_schedules CHECK (created_by NOT LIKE 'schedule:%')"
    )


async def test_an_unexpected_error_postpones_one_schedule_and_does_not_delay_others(database_url: str) -> None:
    async with install(database_url, leads=5) as made:
        await made.configure(WEBHOOK)
        empty = await made.host.project(made.org_id, "Empty")
        broken, fine = await plan(made), await plan(made, project_id=empty)
        await _fail_all_runs(made)
        due = await make_due(made, broken)
        await make_due(made, fine)
        await sweep(made)
        assert [run.outcome for run in await runs(made, fine)] == ["nothing_new"]
        assert await runs(made, broken) == []
        row = await stored(made, broken)
        assert (row.attempts, row.next_due_at) == (1, due)
        assert await made.fetch("SELECT 1 FROM clay.schedules WHERE id = :id AND next_run_at > now()", id=broken)
        await made.fetch("ALTER TABLE clay.push_jobs DROP CONSTRAINT none_by_schedules")
        assert await _start_again(made, broken) == ["queued"]
        assert (await stored(made, broken)).attempts == 0


async def test_a_run_that_ends_with_an_error_each_time_is_recorded_as_failed(database_url: str) -> None:
    async with install(database_url, leads=5) as made:
        await made.configure(WEBHOOK)
        schedule_id = await plan(made, catch_up=timedelta(hours=2))
        await _fail_all_runs(made)
        await make_due(made, schedule_id)
        for _ in range(MAX_ATTEMPTS):
            assert await runs(made, schedule_id) == []
            await _start_again(made, schedule_id)
        assert await _start_again(made, schedule_id) == ["failed"]


async def _start_again(made: Installation, schedule_id: UUID) -> list[str]:
    """End the wait after an error, and sweep."""
    await made.fetch(
        "UPDATE clay.schedules SET next_run_at = now() WHERE next_run_at IS NOT NULL AND id = :id", id=schedule_id
    )
    await sweep(made)
    return [run.outcome for run in await runs(made, schedule_id)]
