"""All values that the service writes into the host's tables (statuses, counts, texts) fit the host's models and pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clay_push_service.callers.actor import Actor
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host_integration.attach.drift import find_drift
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.states import JobStatus
from tests.harness.attached import Attached, install_attached
from tests.support.host_models import HostJob, HostMark, HostStep
from tests.support.receiver import OK, Receiver, status

BOTH = pytest.mark.parametrize("vintage", list(Vintage))


async def check(a: Attached) -> None:
    """Check all rows of this service in the three mirrored tables."""
    jobs = await a.host.connection.fetch("SELECT *, metadata::text AS written FROM sourcing_jobs")
    assert jobs
    for row in jobs:
        HostJob.model_validate(dict(row) | {"metadata": await a.metadata(row["id"]) if row["written"] else None})
    for row in await a.host.connection.fetch("SELECT * FROM job_progress"):
        HostStep.model_validate(dict(row))
    for row in await a.marks():
        HostMark.model_validate(dict(row))


async def cancel_push(a: Attached, job_id: UUID) -> None:
    async with a.installation.database.transaction() as connection:
        await cancel(connection, Actor(a.installation.org_id, "user:test"), job_id)


async def shown(a: Attached, job_id: UUID) -> dict[str, Any]:
    row = await a.row(job_id)
    assert row is not None
    steps = await a.steps(job_id)
    return {
        "status": row["status"], "percent": float(row["progress_percentage"]), "error": row["error_message"],
        "steps": [step[2] for step in steps], "pushed": steps[1][3], "report": steps[2][3],
    }  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (lambda _number, _body: OK, JobStatus.COMPLETED),
        (lambda number, _body: status(422) if number % 2 else OK, JobStatus.COMPLETED),
        (lambda _number, _body: status(422), JobStatus.FAILED),
        (lambda _number, _body: status(401), JobStatus.FAILED),
    ],
    ids=["all taken", "half refused", "all refused", "closed"],
)
async def test_mirrored_rows_fit_the_models_of_the_host_at_all_times(
    database_url: str, vintage: Vintage, answer: Callable[[int, Any], Any], ends: JobStatus
) -> None:
    clay = Receiver(answer=answer)
    async with install_attached(
        database_url, vintage=vintage, leads=6, receiver=clay, retry_delays_seconds=(0.01,)
    ) as a:
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        await check(a)
        await a.installation.fetch("UPDATE clay.push_jobs SET status = 'running', started_at = now()")
        await a.mirror_now()
        await check(a)
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        await check(a)
        assert await a.status(job_id) == ends
        await a.host_queues([], mode="selected")  # the job fails with a message
        cancelled = await a.host_queues(a.installation.lead_ids, mode="selected")
        await a.host.connection.execute("UPDATE sourcing_jobs SET status = 'cancelled' WHERE id = $1", cancelled)
        await a.inbox.process_due()
        await check(a)


async def test_a_cancelled_job_shows_the_number_of_leads_that_were_to_be_sent(database_url: str) -> None:
    """13 of 20 leads were sent before the cancel, so neither the text nor the progress bar may show completion."""
    async with install_attached(database_url, leads=25) as a:
        await a.push_all(a.installation.lead_ids[:5])
        job_id = (await a.installation.push()).job_id
        await a.installation.fetch(
            "UPDATE clay.clay_push_log SET status = 'success', state = 'done', finished_at = now() WHERE id IN"
            " (SELECT id FROM clay.clay_push_log WHERE job_id = :j AND state = 'waiting' LIMIT 13)",
            j=job_id,
        )
        await a.installation.fetch("UPDATE clay.push_jobs SET success_count = 13 WHERE id = :j", j=job_id)
        await cancel_push(a, job_id)
        await a.mirror_now()
        assert await shown(a, job_id) == {
            "status": "cancelled",
            "percent": 65,
            "error": None,
            "steps": ["completed", "failed", "failed"],
            "pushed": "Pushed 13 of 20 leads to Clay, 7 cancelled",
            "report": "13 pushed, 0 failed, 5 skipped. 7 leads cancelled.",
        }
        assert (await a.steps(job_id))[0][3] == "25 leads, 5 skipped"
        await check(a)
        async with a.installation.database.transaction() as connection:
            job = await read_job(connection, a.installation.org_id, job_id)
        assert (job.progress, job.progress_percent) == ("Pushed 13 of 20 leads to Clay", 65)


async def test_a_partial_failure_shows_its_main_cause_on_the_page(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: OK if number < 4 else status(422))
    async with install_attached(database_url, leads=6, receiver=clay) as a:
        job_id = await a.push_all()
        await a.mirror_now()
        report = "4 pushed, 2 failed, 0 skipped. Main cause of the failures: Clay rejected the row."
        assert await shown(a, job_id) == {
            "status": "completed",
            "percent": 100,
            "error": report,
            "steps": ["completed", "completed", "completed"],
            "pushed": "Pushed 4 of 6 leads to Clay, 2 failed",
            "report": report,
        }
        assert (await a.metadata(job_id))["summary"] == report


async def test_the_progress_bar_counts_the_same_leads_as_the_text(database_url: str) -> None:
    """7 of 10 leads are already in Clay, so a new push of the other 3 starts at 0 %."""
    async with install_attached(database_url, leads=10) as a:
        await a.push_all(a.installation.lead_ids[:7])
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        now = await shown(a, job_id)
        assert (now["percent"], now["pushed"]) == (0, "Pushed 0 of 3 leads to Clay")


async def test_doctor_names_fractions_that_an_earlier_release_left_in_the_hosts_column(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        await a.host.connection.execute("UPDATE projects SET auto_export_clay_min_score = 72.5")
        async with a.installation.database.transaction() as connection:
            _, report = await find_drift(connection, await detect(connection))
        assert [each[:40] for each in report] == ["1 projects have a fraction in auto_expor"]
