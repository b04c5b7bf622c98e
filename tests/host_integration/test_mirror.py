"""The mirror shows push jobs on NexusLeads' pages. It does not delay pushes, and it repairs rows that the host changed."""

import asyncio

import asyncpg
import pytest

from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.mirror.mirror import Mirror
from tests.harness.attached import install_attached
from tests.support.receiver import OK, Receiver, status

BOTH = pytest.mark.parametrize("vintage", list(Vintage))


@BOTH
async def test_a_push_job_is_shown_from_its_start_to_its_end(database_url: str, vintage: Vintage) -> None:
    async with install_attached(database_url, Level.MIRROR, vintage=vintage, leads=12) as a:
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        row = await a.row(job_id)
        assert row is not None
        assert (row["job_type"], row["status"], row["total_steps"], row["current_step"]) == (
            "clay_push",
            "running",
            3,
            1,
        )
        assert row["project_id"] == a.installation.project_id
        metadata = await a.metadata(job_id)
        assert (metadata["managed_by"], metadata["push_mode"], metadata["lead_count"]) == ("clay-push", "all", 12)
        assert "lead_ids" not in metadata
        assert await a.steps(job_id) == [
            (1, "Preparing leads", "completed", "12 leads, 0 skipped"),
            (2, "Pushing to Clay", "pending", "Pushed 0 of 12 leads to Clay"),
            (3, "Completing", "pending", None),
        ]
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        row = await a.row(job_id)
        assert row is not None
        assert (row["status"], row["current_step"], row["progress_percentage"]) == ("completed", 3, 100)
        assert row["completed_at"] is not None
        assert row["error_message"] is None
        assert [step[2:] for step in await a.steps(job_id)] == [
            ("completed", "12 leads, 0 skipped"),
            ("completed", "Pushed 12 of 12 leads to Clay"),
            ("completed", "12 pushed, 0 failed, 0 skipped."),
        ]
        assert (await a.mirror_now()).written == 0


@BOTH
async def test_only_successes_are_marked_on_the_page_of_leads(database_url: str, vintage: Vintage) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if number % 2 else OK)
    lead_id = name_in("lead_id", vintage)
    async with install_attached(database_url, Level.MIRROR, vintage=vintage, leads=10, receiver=clay) as a:
        job_id = await a.push_all()
        await a.mirror_now()
        marks = await a.marks()
        assert {mark["status"] for mark in marks} == {"success"}
        sent = {row.contributor_id for row in await a.installation.deliveries(job_id) if row.status == "success"}
        assert {mark[lead_id] for mark in marks} == sent
        assert len(marks) == len(sent) == 5
        assert {mark["job_id"] for mark in marks} == {job_id}
        assert (await a.row(job_id))["status"] == "completed"  # type: ignore[index]  # the row is there


@pytest.mark.parametrize("unique", ["org_id, {lead}, project_id", "org_id, {lead}", None])
@BOTH
async def test_marks_are_written_with_every_unique_key_that_the_host_may_have(
    database_url: str, vintage: Vintage, unique: str | None
) -> None:
    lead_id = name_in("lead_id", vintage)
    async with install_attached(database_url, Level.MIRROR, vintage=vintage, leads=4) as a:
        await a.host.connection.execute(
            f"ALTER TABLE clay_push_log DROP CONSTRAINT clay_push_log_org_id_{lead_id}_project_id_key"
        )
        if unique:
            await a.host.connection.execute(f"ALTER TABLE clay_push_log ADD UNIQUE ({unique.format(lead=lead_id)})")
        await a.host.connection.execute(  # the row of a failed push of the host itself
            f"INSERT INTO clay_push_log (org_id, {lead_id}, project_id, status, error_message)"
            " VALUES ($1, $2, $3, 'failed', 'old')",
            a.installation.org_id, a.installation.lead_ids[0], a.installation.project_id,
        )  # fmt: skip
        await a.push_all()
        await a.mirror_now()
        first = [mark["pushed_at"] for mark in await a.marks() if mark["status"] == "success"]
        assert len(first) == 4
        await a.installation.push(a.installation.lead_ids, again=True)
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        again = [mark["pushed_at"] for mark in await a.marks() if mark["status"] == "success"]
        assert len(again) == 4
        assert min(again) > max(first)


async def test_a_later_failure_does_not_undo_a_mark(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: OK if number < 3 else status(422))
    async with install_attached(database_url, Level.MIRROR, leads=3, receiver=clay) as a:
        await a.push_all()
        await a.mirror_now()
        before = await a.marks()
        failed = await a.installation.push(a.installation.lead_ids, again=True)
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.marks() == before
        row = await a.row(failed.job_id)
        assert row is not None
        assert row["status"] == "failed"
        assert "0 pushed, 3 failed" in row["error_message"]


async def test_a_failed_job_shows_the_cause_of_failures_and_not_of_skipped_leads(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: OK if number < 3 else status(422))
    async with install_attached(database_url, Level.MIRROR, leads=4, receiver=clay) as a:
        await a.push_all(a.installation.lead_ids[:3])
        job_id = await a.push_all()
        await a.mirror_now()
        row = await a.row(job_id)
        assert row is not None
        assert row["error_message"] == "0 pushed, 1 failed, 3 skipped. Clay rejected the row."


async def test_marks_are_written_in_batches_while_the_job_runs(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clay_push_service.host_integration.mirror.marks.BATCH", 7)
    async with install_attached(database_url, Level.MIRROR, leads=40, rate_limit_ms=10) as a:
        job_id = (await a.installation.push()).job_id
        draining = asyncio.create_task(a.installation.drain_all(a.drainer))
        halfway = 0
        while not draining.done():
            await a.mirror_now()
            halfway = max(halfway, len(await a.marks()) if not draining.done() else 0)
            await asyncio.sleep(0.02)
        await draining
        await a.mirror_now()
        assert halfway > 0
        assert len(await a.marks()) == 40
        assert await a.status(job_id) == "completed"


async def test_a_lock_of_the_host_delays_no_push_and_the_mirror_catches_up(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=30) as a:
        blocker = await asyncpg.connect(database_url)
        try:
            transaction = blocker.transaction()
            await transaction.start()
            await blocker.execute("LOCK TABLE sourcing_jobs, job_progress, clay_push_log IN ACCESS EXCLUSIVE MODE")
            job_id = (await a.installation.push()).job_id
            mirroring = asyncio.create_task(a.mirror.run_pass())
            # The push must end while the lock is held. If it waited for the host's tables, it would never end.
            await a.installation.drain_all(a.drainer, 300.0)
            assert (await a.installation.job(job_id)).status == "completed"
            with pytest.raises(Exception, match="lock timeout"):
                await mirroring
            await transaction.rollback()
        finally:
            await blocker.close()
        await a.mirror_now()
        assert await a.status(job_id) == "completed"
        assert len(await a.marks()) == 30


async def test_a_row_that_the_host_has_locked_does_not_stop_the_others(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=10) as a:
        held = (await a.installation.push(a.installation.lead_ids[:5])).job_id
        free = (await a.installation.push(a.installation.lead_ids[5:])).job_id
        await a.mirror_now()
        async with a.host.connection.transaction():
            await a.host.connection.execute("SELECT 1 FROM sourcing_jobs WHERE id = $1 FOR UPDATE", held)
            await a.installation.drain_all(a.drainer)
            passed = await a.mirror_now()
            assert (passed.failed, passed.written) == (1, 1)
        assert await a.status(free) == "completed"
        assert await a.status(held) == "running"
        await a.mirror_now()
        assert await a.status(held) == "completed"


async def test_push_jobs_from_before_attach_are_shown(database_url: str) -> None:
    async with install_attached(database_url, None, leads=5) as a:
        job_id = await a.push_all()
        assert await a.mirror.run_pass() is None
        await a.attach(Level.READ)
        assert await a.mirror.run_pass() is None
        assert await a.row(job_id) is None
        await a.attach(Level.MIRROR)
        await a.mirror_now()
        assert await a.status(job_id) == "completed"
        assert len(await a.marks()) == 5


async def test_two_workers_write_each_row_once(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=20) as a:
        other = Mirror(a.installation.database, a.installation.host_tables)
        jobs = [(await a.installation.push([lead_id])).job_id for lead_id in a.installation.lead_ids]
        await a.installation.drain_all(a.drainer)
        for _ in range(20):
            first, second = await asyncio.gather(a.mirror.run_pass(), other.run_pass())
            assert first is not None
            assert second is not None
            assert (first.failed, second.failed) == (0, 0)
        assert await a.host.connection.fetchval("SELECT count(*) FROM sourcing_jobs WHERE status = 'completed'") == len(
            jobs
        )
        assert await a.host.connection.fetchval("SELECT count(*) FROM job_progress") == 3 * len(jobs)
        assert len(await a.marks()) == 20


async def test_a_long_backlog_is_written_over_several_passes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with install_attached(database_url, None, leads=7) as a:
        for lead_id in a.installation.lead_ids:
            await a.push_all([lead_id])
        await a.installation.fetch("UPDATE clay.push_jobs SET created_at = created_at - interval '1 day'")
        await a.attach(Level.MIRROR)
        monkeypatch.setattr("clay_push_service.host_integration.mirror.read.BATCH", 3)
        for shown in (3, 6, 7):
            await a.mirror_now()
            assert await a.host.connection.fetchval("SELECT count(*) FROM sourcing_jobs") == shown
        assert len(await a.marks()) == 7
