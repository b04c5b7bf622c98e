"""The mirror while NexusLeads changes the same rows: restarts, cancels, triggers and deletes."""

from uuid import uuid4

import pytest

from clay_push_service.host_integration.attach.attachment import Level
from tests.harness.attached import HostProcessor, install_attached


@pytest.mark.parametrize("with_trigger", [True, False])
async def test_a_restart_of_the_host_does_not_fail_our_rows(database_url: str, with_trigger: bool) -> None:
    async with install_attached(database_url, None, leads=8) as a:
        await a.attach(Level.MIRROR, with_trigger=with_trigger)
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        processor = HostProcessor(a.host.connection)
        await processor.start()
        assert await a.steps(job_id) == []
        await processor.poll()
        assert await a.status(job_id) == ("running" if with_trigger else "failed")
        await a.mirror_now()
        row = await a.row(job_id)
        assert row is not None
        assert (row["status"], row["error_message"], row["completed_at"]) == ("running", None, None)
        assert len(await a.steps(job_id)) == 3
        assert processor.would_push == []
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(job_id) == "completed"


async def test_a_row_that_the_processor_of_the_host_changed_is_repaired(database_url: str) -> None:
    async with install_attached(database_url, None, leads=3) as a:
        await a.attach(Level.MIRROR, with_trigger=False)
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        processor = HostProcessor(a.host.connection)
        await processor.start()
        await processor.claim()
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        await processor.finish()
        assert await a.status(job_id) == "failed"
        await a.check_now()
        assert await a.status(job_id) == "completed"
        # the processor deletes the progress of running rows when it starts
        await a.host.connection.execute("DELETE FROM job_progress")
        await a.check_now()
        assert len(await a.steps(job_id)) == 3
        assert await a.status(job_id) == "completed"
        assert (await a.row(job_id))["error_message"] is None  # type: ignore[index]  # the row is there


@pytest.mark.parametrize("with_trigger", [True, False])
async def test_cancelling_in_the_host_cancels_the_push_job(database_url: str, with_trigger: bool) -> None:
    async with install_attached(database_url, None, leads=6) as a:
        await a.attach(Level.MIRROR, with_trigger=with_trigger)
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        await a.host.connection.execute("UPDATE sourcing_jobs SET status = 'cancelled' WHERE id = $1", job_id)
        assert (await a.mirror_now()).cancelled == 1
        job = await a.installation.job(job_id)
        assert (job.status, job.skipped_count) == ("cancelled", 6)
        await a.mirror_now()
        assert await a.status(job_id) == "cancelled"
        assert a.receiver.posts == []
        [audited] = await a.installation.fetch("SELECT actor FROM clay.audit_log WHERE action = 'push_job.cancelled'")
        assert audited.actor == "host"


async def test_the_trigger_protects_rows_of_the_mirror_and_allows_other_changes(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=3) as a:
        user_id = await a.host.connection.fetchval("INSERT INTO users (username) VALUES ('ann') RETURNING id")
        job_id = (await a.installation.push()).job_id
        await a.installation.fetch(
            "UPDATE clay.push_jobs SET created_by_user_id = :u WHERE id = :j", u=user_id, j=job_id
        )
        await a.mirror_now()
        before = await a.row(job_id)
        assert before is not None
        assert before["created_by"] == user_id
        report = await a.host.connection.execute(
            "UPDATE sourcing_jobs SET status = 'failed', error_message = 'x', metadata = '{\"lead_ids\": [\"1\"]}',"
            " progress_percentage = 7, completed_at = now(), job_type = 'other' WHERE id = $1",
            job_id,
        )
        assert report == "UPDATE 1"  # an ORM treats a count of 0 as an error
        assert await a.row(job_id) == before
        await a.host.connection.execute("UPDATE sourcing_jobs SET created_by = NULL WHERE id = $1", job_id)
        assert (await a.row(job_id))["created_by"] is None  # type: ignore[index]  # the row is there
        await a.host.connection.execute("INSERT INTO sourcing_jobs (id, job_type) VALUES ($1, 'clay_push')", uuid4())
        await a.host.connection.execute("UPDATE sourcing_jobs SET status = 'failed' WHERE id <> $1", job_id)
        assert await a.host.connection.fetchval("SELECT count(*) FROM sourcing_jobs WHERE status = 'failed'") == 1


async def test_what_the_host_deletes_stays_deleted(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=3) as a:
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        await a.host.connection.execute("DELETE FROM sourcing_jobs WHERE id = $1", job_id)
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        await a.check_now()
        assert await a.row(job_id) is None
        assert (await a.installation.job(job_id)).status == "completed"


async def test_a_deleted_project_or_lead_does_not_stop_the_mirror(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=4) as a:
        gone = await a.push_all(a.installation.lead_ids[:3])
        await a.host.connection.execute(
            f"DELETE FROM {a.installation.name('leads')} WHERE id = $1", a.installation.lead_ids[0]
        )
        await a.mirror_now()
        assert await a.status(gone) == "completed"
        assert len(await a.marks()) == 2
        last = await a.push_all(a.installation.lead_ids[3:])
        await a.host.connection.execute("DELETE FROM projects WHERE id = $1", a.installation.project_id)
        passed = await a.mirror_now()
        assert passed.failed == 0
        assert await a.row(last) is None
