"""Messages of a push job: why no lead was sent and which leads may be in Clay, worded for one lead and for many."""

import pytest

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.push_jobs.summary import no_leads, page_warning, summary, warnings
from clay_push_service.states import JobStatus
from tests.harness.api import run_api_with_leads
from tests.support.receiver import OK, Behaviour, Receiver, Reset, status


async def test_the_reason_of_a_failed_job_is_the_cause_of_its_failed_leads(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: OK if number < 9 else status(422))
    async with run_api_with_leads(database_url, leads=10, receiver=clay) as api:
        await api.push_and_drain(api.lead_ids[:9])
        job = await api.push_and_drain()
        assert (job["status"], job["failed_count"], job["skipped_count"]) == ("failed", 1, 9)
        assert job["summary"] == "0 pushed, 1 failed, 9 skipped. Clay rejected the row."
        assert [each["cause"] for each in job["causes"]] == ["rejected", "already_in_clay"]


@pytest.mark.parametrize("cause", Cause)
def test_the_text_of_a_cause_fits_one_lead_and_many(cause: Cause) -> None:
    report = EXPLANATIONS[cause]
    for sentence in (report.message, report.remedy):
        assert "this lead" not in sentence.lower()
        assert sentence.endswith(".")


@pytest.mark.parametrize("cause", [cause for cause in Cause if "then retry" in EXPLANATIONS[cause].remedy])
async def test_the_message_for_a_closed_table_does_not_advise_a_retry(database_url: str, cause: Cause) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.host.connection.execute(
            "UPDATE clay.destination_versions SET state = 'closed', state_reason = $1", cause.value
        )
        body = {"lead_ids": [str(api.lead_ids[0])]}
        refused = await api.call("POST", "/api/clay/push", body, status=409)
        assert EXPLANATIONS[cause].message in refused["detail"]
        assert refused["remedy"] in refused["detail"]
        assert "then push" in refused["remedy"]
        assert "retry" not in refused["remedy"]


@pytest.mark.parametrize(
    ("mode", "filters", "report"),
    [
        ("filtered", {"search": "no such name"}, "No lead of the project matches these filters."),
        ("all", {"search": ""}, "The project has no leads."),
    ],
)
async def test_a_push_without_leads_has_a_reason(
    database_url: str, mode: str, filters: dict[str, str], report: str
) -> None:
    async with run_api_with_leads(database_url, leads=0 if mode == "all" else 3) as api:
        body = {"project_id": str(api.project_id), "push_mode": mode, "filters": filters}
        answer = await api.call("POST", "/api/clay/push-filtered", body)
        assert (answer["lead_count"], answer["message"]) == (0, f"Nothing was queued. {report}")
        job = await api.job(answer["job_id"])
        assert (job["status"], job["summary"], job["progress_percent"]) == ("completed", report, 100)


def test_a_push_without_leads_and_a_push_with_all_skipped_have_different_messages() -> None:
    assert summary("filtered", 0, 0, 0, 0, None) == no_leads("filtered")
    assert summary("filtered", 2, 0, 0, 2, "Already there.") == "0 pushed, 0 failed, 2 skipped. Already there."


@pytest.mark.parametrize("ended", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_every_finished_job_reports_leads_that_may_be_in_clay(ended: JobStatus) -> None:
    report = warnings(ended, 0, 3, 2, 1)
    assert "1 lead may already be in Clay: no clear response was received." in report
    assert ("3 leads failed." in report) == (ended is JobStatus.COMPLETED)


@pytest.mark.parametrize("live", [JobStatus.PENDING, JobStatus.RUNNING])
def test_a_live_job_has_no_warning(live: JobStatus) -> None:
    assert warnings(live, 0, 3, 0, 1) == []


async def test_successes_that_a_web_page_answered_have_a_warning(database_url: str) -> None:
    page = status(200, headers="content-type: text/html\r\n", body="\ufeff <!DOCTYPE html><title>Clay</title>")
    clay = Receiver(answer=lambda number, _body: page if number < 2 else OK)
    async with run_api_with_leads(database_url, leads=3, receiver=clay) as api:
        job = await api.push_and_drain()
        assert (job["status"], job["success_count"], job["failed_count"]) == ("completed", 3, 0)
        assert job["warnings"] == [page_warning(2)]
        assert "test the webhook" in job["warnings"][0]


async def test_a_failed_job_warns_of_leads_that_may_be_in_clay(database_url: str) -> None:
    clay = Receiver(answer=lambda _number, _body: Reset())
    async with run_api_with_leads(database_url, leads=1, receiver=clay) as api:
        job = await api.push_and_drain()
        assert (job["status"], job["unknown_count"]) == ("failed", 1)
        assert job["warnings"] == ["1 lead may already be in Clay: no clear response was received."]


async def test_the_message_of_a_cancel_separates_accepted_leads_from_uncertain_ones(database_url: str) -> None:
    def first_two(number: int, _body: bytes) -> Behaviour:
        return OK if number == 0 else Reset()

    async with run_api_with_leads(database_url, receiver=Receiver(answer=first_two)) as api:
        await api.push_and_drain(api.lead_ids[:2])
        job_id = await api.queue(push_again=True)
        # the state after a worker got one response and missed another
        await api.host.connection.execute(
            "UPDATE clay.clay_push_log SET job_id = $1 WHERE job_id <> $1 AND status IN ('success', 'failed')", job_id
        )
        await api.host.connection.execute(
            "DELETE FROM clay.clay_push_log WHERE job_id = $1 AND contributor_id = ANY($2) AND status = 'pending'",
            job_id, api.lead_ids[:2],
        )  # fmt: skip
        await api.host.connection.execute(
            "UPDATE clay.push_jobs SET success_count = 1, failed_count = 1, unknown_count = 1 WHERE id = $1", job_id
        )
        report = await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        counts = {key: report[key] for key in ("cancelled_count", "already_sent", "maybe_sent", "in_flight")}
        assert counts == {"cancelled_count": 1, "already_sent": 1, "maybe_sent": 1, "in_flight": 0}
        assert report["message"] == (
            "Cancelled: 1 lead will not be sent; 1 were already sent to Clay; "
            "1 may already be in Clay, because no clear response was received."
        )
        job = await api.job(job_id)
        assert (job["status"], job["warnings"]) == (
            "cancelled",
            ["1 lead may already be in Clay: no clear response was received."],
        )
