"""Runs of schedules on a database: what is pushed, and each reason for which nothing is."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from clay_push_service.leads.filters import LeadFilters
from clay_push_service.states import DuplicateHandling, SyncedLeads
from tests.harness.installation import Installation, install_with_drainer
from tests.schedules.planned import DAILY, make_due, plan, run_once, runs, stored, sweep
from tests.support.receiver import Receiver


class Clay:
    """An installation with 20 leads and a webhook, and what arrived there."""

    def __init__(self, made: Installation, receiver: Receiver, drainer: Any) -> None:
        self.made, self.receiver, self._drainer = made, receiver, drainer

    async def drain(self) -> None:
        await self.made.drain_all(self._drainer)


@pytest.fixture
async def clay(database_url: str) -> AsyncIterator[Clay]:
    async with install_with_drainer(database_url) as (made, drainer, receiver):
        yield Clay(made, receiver, drainer)


async def handles_duplicates(made: Installation, dedupe: DuplicateHandling) -> None:
    """Set what the Clay table does with a second row of a lead."""
    column = "GitHub user name" if dedupe is DuplicateHandling.KEEPS_OLDEST else None
    await made.fetch(
        "UPDATE clay.destinations SET dedupe = :dedupe, dedupe_column = :column", dedupe=dedupe, column=column
    )


async def test_a_due_schedule_pushes_the_new_leads_and_later_runs_push_only_newer_ones(clay: Clay) -> None:
    made = clay.made
    schedule_id = await plan(made)
    first = await run_once(made, schedule_id)
    assert (first.outcome, first.lead_count, first.started_by) == ("queued", 20, "time")
    [job_id] = first.job_ids
    job = await made.job(job_id)
    assert (job.created_by, job.push_mode, job.lead_count) == (f"schedule:{schedule_id}", "auto", 20)
    await clay.drain()
    assert len(clay.receiver.leads) == 20
    second = await run_once(made, schedule_id)
    assert (second.outcome, second.job_ids) == ("nothing_new", [])
    new = await made.host.lead(made.project_id, score=50)
    assert (await run_once(made, schedule_id)).lead_count == 1
    await clay.drain()
    assert clay.receiver.leads[str(new)] == 1
    assert set(clay.receiver.leads.values()) == {1}


async def test_a_schedule_that_is_not_due_does_not_run(clay: Clay) -> None:
    schedule_id = await plan(clay.made)
    assert await sweep(clay.made) == 0
    assert await runs(clay.made, schedule_id) == []
    row = await stored(clay.made, schedule_id)
    assert timedelta(0) <= row.next_run_at - row.next_due_at <= timedelta(seconds=60)


async def test_filters_and_the_cap_choose_the_best_leads(clay: Clay) -> None:
    made = clay.made
    other = await made.host.project(made.org_id, "Scores")
    by_score = {score: await made.host.lead(other, score=score) for score in (95, 80, 79, 60)}
    schedule_id = await plan(made, project_id=other, filters=LeadFilters(min_score=70), max_leads=2)
    assert (await run_once(made, schedule_id)).lead_count == 2
    await clay.drain()
    assert set(clay.receiver.leads) == {str(by_score[95]), str(by_score[80])}
    assert (await run_once(made, schedule_id)).lead_count == 1
    await clay.drain()
    assert str(by_score[60]) not in clay.receiver.leads


async def test_a_run_is_skipped_while_the_job_of_the_last_one_is_live(clay: Clay) -> None:
    schedule_id = await plan(clay.made)
    assert (await run_once(clay.made, schedule_id)).outcome == "queued"
    assert (await run_once(clay.made, schedule_id)).outcome == "overlap"
    await clay.drain()
    assert (await run_once(clay.made, schedule_id)).outcome == "nothing_new"


async def test_changed_leads_are_sent_again_only_with_their_mode(clay: Clay) -> None:
    made = clay.made
    await handles_duplicates(made, DuplicateHandling.NONE)
    schedule_id = await plan(made, mode=SyncedLeads.NEW_AND_CHANGED)
    plain = await plan(made)
    await run_once(made, schedule_id)
    await clay.drain()
    lead_id = made.lead_ids[3]
    await made.host.connection.execute(
        f"UPDATE {made.name('leads')} SET company = 'Another company' WHERE id = $1", lead_id
    )
    assert (await run_once(made, plain)).outcome == "nothing_new"
    run = await run_once(made, schedule_id)
    assert (run.outcome, run.lead_count) == ("queued", 1)
    assert (await made.job(run.job_ids[0])).push_again
    await clay.drain()
    assert clay.receiver.leads[str(lead_id)] == 2
    assert sum(clay.receiver.leads.values()) == 21
    [again] = await made.deliveries(run.job_ids[0])
    sent = "SELECT id FROM clay.clay_push_log WHERE contributor_id = :id ORDER BY seq LIMIT 1"
    [first] = await made.fetch(sent, id=lead_id)
    assert (again.revision, again.supersedes) == (2, first.id)


@pytest.mark.parametrize("dedupe", [DuplicateHandling.UNKNOWN, DuplicateHandling.KEEPS_OLDEST])
async def test_changed_leads_are_refused_for_a_table_that_may_drop_their_rows(
    clay: Clay, dedupe: DuplicateHandling
) -> None:
    made = clay.made
    await handles_duplicates(made, dedupe)
    run = await run_once(made, await plan(made, mode=SyncedLeads.NEW_AND_CHANGED))
    assert (run.outcome, run.job_ids) == ("failed", [])
    assert "push with mode `new`" in run.message.lower()


@pytest.mark.parametrize("catch_up_hours", [1, 4])
async def test_a_run_that_was_due_three_hours_ago_is_missed_or_caught_up(clay: Clay, catch_up_hours: int) -> None:
    made = clay.made
    schedule_id = await plan(made, DAILY, catch_up=timedelta(hours=catch_up_hours))
    due = await make_due(made, schedule_id, late=timedelta(hours=3))
    assert await sweep(made) == 1
    found = {run.due_at: run.outcome for run in await runs(made, schedule_id)}
    # The test may run shortly after 09:00 in Berlin: then that due time has passed too.
    assert found[due] == ("missed" if catch_up_hours == 1 or len(found) == 2 else "queued")
    assert (await stored(made, schedule_id)).next_due_at > datetime.now(due.tzinfo)
    assert await sweep(made) == 0


async def test_of_several_missed_runs_only_the_newest_is_caught_up(clay: Clay) -> None:
    schedule_id = await plan(clay.made)
    await make_due(clay.made, schedule_id, late=timedelta(hours=3))
    await sweep(clay.made)
    outcomes = [run.outcome for run in await runs(clay.made, schedule_id)]
    assert outcomes == ["missed"] * (len(outcomes) - 1) + ["queued"]
    assert len(outcomes) >= 3


async def test_a_quota_that_is_too_small_pushes_nothing(clay: Clay) -> None:
    await clay.made.fetch("UPDATE clay.quota_meters SET used = 49990, quota_limit = 50000")
    schedule_id = await plan(clay.made)
    run = await run_once(clay.made, schedule_id)
    assert run.outcome == "quota_exhausted"
    assert "20 leads are to be pushed, and the webhook's quota has 10 submissions left." in run.message
    capped = await plan(clay.made, max_leads=10)
    assert (await run_once(clay.made, capped)).lead_count == 10
    assert (await run_once(clay.made, await plan(clay.made, max_leads=1))).outcome == "quota_exhausted"


async def test_three_failures_pause_the_schedule_with_one_alarm(clay: Clay, capsys: pytest.CaptureFixture[str]) -> None:
    made = clay.made
    await made.fetch("UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'")
    schedule_id = await plan(made)
    capsys.readouterr()
    for _ in range(3):
        assert (await run_once(made, schedule_id)).outcome == "destination_closed"
    row = await stored(made, schedule_id)
    assert (row.paused_because, row.next_due_at, row.next_run_at) == ("failures", None, None)
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("schedule.paused") == 1
    assert await sweep(made) == 0


async def test_push_jobs_that_fail_pause_the_schedule_at_its_next_due_time(clay: Clay) -> None:
    made = clay.made
    schedule_id = await plan(made, pause_after=1)
    run = await run_once(made, schedule_id)
    await made.fetch("DELETE FROM clay.clay_push_log")
    await made.fetch(
        "UPDATE clay.push_jobs SET status = 'failed', finished_at = now() WHERE id = :id", id=run.job_ids[0]
    )
    assert (await run_once(made, schedule_id)).outcome == "paused"
    assert (await stored(made, schedule_id)).paused_because == "failures"


async def test_a_project_that_no_longer_exists_is_an_outcome(clay: Clay) -> None:
    other = await clay.made.host.project(clay.made.other_org_id, "Of others")
    schedule_id = await plan(clay.made, project_id=other)
    assert (await run_once(clay.made, schedule_id)).outcome == "project_not_found"


async def test_a_due_time_that_has_a_run_is_not_run_again(clay: Clay) -> None:
    schedule_id = await plan(clay.made)
    run = await run_once(clay.made, schedule_id)
    await clay.drain()
    await clay.made.host.lead(clay.made.project_id)
    await clay.made.fetch(
        "UPDATE clay.schedules SET next_due_at = :due, next_run_at = now() - interval '1 second'", due=run.due_at
    )
    assert await sweep(clay.made) == 1
    assert [each.due_at for each in await runs(clay.made, schedule_id)] == [run.due_at]
    assert (await stored(clay.made, schedule_id)).next_due_at > run.due_at
    assert await clay.made.fetch("SELECT 1 FROM clay.clay_push_log WHERE state <> 'done'") == []


async def test_newer_time_zone_rules_move_the_next_due_time(clay: Clay) -> None:
    schedule_id = await plan(clay.made, DAILY)
    before = await stored(clay.made, schedule_id)
    await clay.made.fetch(
        "UPDATE clay.schedules SET tzdata_version = '1999a', next_due_at = next_due_at + interval '1 hour'"
    )
    assert await sweep(clay.made) == 0
    after = await stored(clay.made, schedule_id)
    assert (after.next_due_at, after.tzdata_version) == (before.next_due_at, before.tzdata_version)
    await clay.made.fetch(
        "UPDATE clay.schedules SET tzdata_version = '9999z', next_due_at = next_due_at + interval '1 hour'"
    )
    await sweep(clay.made)
    assert (await stored(clay.made, schedule_id)).tzdata_version == "9999z"
