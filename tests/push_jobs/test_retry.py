"""Retrying failed and cancelled leads: by default only those that another attempt may deliver, others only if the request names their cause."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.invariants import verify
from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import OK, Receiver, status


async def add_failed_job(api: Api, causes: Mapping[UUID, str]) -> str:
    """Add a job whose leads failed with these causes. Returns the job's id."""
    job_id = await api.queue(list(causes))
    for lead_id, cause in causes.items():
        await api.host.connection.execute(
            "UPDATE clay.clay_push_log SET status = 'failed', cause = $3, state = 'done', finished_at = now()"
            " WHERE job_id = $1 AND contributor_id = $2",
            UUID(job_id), lead_id, cause,
        )  # fmt: skip
    unknown = sum(cause == "unknown" for cause in causes.values())
    await api.host.connection.execute(
        "UPDATE clay.push_jobs SET status = 'failed', failed_count = lead_count, unknown_count = $2, finished_at = now()"
        " WHERE id = $1",
        UUID(job_id), unknown,
    )  # fmt: skip
    return job_id


async def test_a_retry_sends_cancelled_leads(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job_id = await api.queue()
        await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        again = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {})
        assert (again["lead_count"], again["skipped_count"]) == (3, 0)
        await api.drain()
        assert set(api.receiver.leads) == {str(each) for each in api.lead_ids}


async def test_cancelled_leads_can_be_retried_by_cause(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job_id = await api.queue()
        await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        again = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {"causes": ["cancelled"]})
        assert again["lead_count"] == 3


async def test_a_retry_without_causes_takes_only_leads_that_another_attempt_may_deliver(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=5) as api:
        causes = dict(zip(api.lead_ids, ["rejected", "unknown", "poison", "lead_gone", "server_error"], strict=True))
        job_id = await add_failed_job(api, causes)
        shown = {each["cause"]: each["retryable"] for each in (await api.job(job_id))["causes"]}
        again = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {})
        await api.drain()
        mended = {cause for cause in causes.values() if shown[cause]}
        assert mended == {"rejected", "server_error"}
        assert set(api.receiver.leads) == {str(lead) for lead, cause in causes.items() if cause in mended}
        assert again["lead_count"] == 2
        by_name = await api.call(
            "POST", f"/api/clay/jobs/{job_id}/retry", {"causes": ["poison", "unknown", "lead_gone"]}
        )
        assert (by_name["lead_count"], by_name["skipped_count"]) == (3, 0)


@pytest.mark.parametrize("cause", ["unknown", "poison", "lead_gone"])
async def test_the_refusal_names_the_causes_that_must_be_requested_explicitly(database_url: str, cause: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        job_id = await add_failed_job(api, {api.lead_ids[0]: cause})
        refused = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {}, status=409)
        assert refused["code"] == "nothing_to_retry"
        assert "explicitly" in refused["detail"]
        assert "`lead_ids`" in refused["detail"]


async def test_a_job_without_failures_has_nothing_to_retry(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        job = await api.push_and_drain()
        refused = await api.call("POST", f"/api/clay/jobs/{job['id']}/retry", {}, status=409)
        assert (refused["code"], "by name" in refused["detail"]) == ("nothing_to_retry", False)


async def test_only_named_leads_are_retried(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if number < 3 else OK)
    async with run_api_with_leads(database_url, receiver=clay) as api:
        job = await api.push_and_drain()
        assert job["failed_count"] == 3
        await api.call("POST", f"/api/clay/jobs/{job['id']}/retry", {"lead_ids": [str(api.lead_ids[1])]})
        await api.drain()
        assert {lead for lead, posts in clay.leads.items() if posts == 2} == {str(api.lead_ids[1])}


async def test_leads_of_another_organization_are_reported_and_no_lead_is_queued(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job_id = await add_failed_job(api, dict.fromkeys(api.lead_ids[:2], "rejected"))
        unknown_ids = [api.lead_ids[2], *(uuid4() for _ in range(11))]
        body = {"lead_ids": [str(each) for each in [api.lead_ids[0], *unknown_ids]]}
        refused = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", body, status=404)
        assert refused["code"] == "lead_not_found"
        assert refused["lead_ids"] == [str(each) for each in unknown_ids[:10]]
        assert str(unknown_ids[9]) in refused["detail"]
        assert await api.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs") == 1


async def test_an_unknown_cause_is_refused(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        job_id = await add_failed_job(api, {api.lead_ids[0]: "rejected"})
        refused = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {"causes": ["tired"]}, status=422)
        assert refused["code"] == "invalid_request"


async def test_a_running_job_is_not_retried(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        refused = await api.call("POST", f"/api/clay/jobs/{await api.queue()}/retry", {}, status=409)
        assert refused["code"] == "job_running"


async def test_an_empty_parameter_is_ignored(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        job_id = await add_failed_job(api, dict.fromkeys(api.lead_ids, "rejected"))
        rest = await api.call("GET", f"/api/clay/jobs/{job_id}/leads?status=&cause=&cursor=")
        assert len(rest["leads"]) == 2
        assert len((await api.call("GET", "/api/clay/jobs?status=&cursor=&project_id="))["jobs"]) == 1
        assert len((await api.call("GET", f"/api/clay/leads?project_id={api.project_id}&cursor="))["leads"]) == 2
        assert len((await api.call("GET", "/api/clay/audit?cursor="))["entries"]) == 2
        for query in ("status=tired", "cause=tired", "cursor=tired"):
            refused = await api.get(f"/api/clay/jobs/{job_id}/leads?{query}", "owner")
            assert refused.status_code in {400, 422}, query


async def test_a_retry_of_a_repeated_push_sends_leads_that_are_in_clay(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if 3 <= number < 6 else OK)
    async with run_api_with_leads(database_url, receiver=clay) as api:
        await api.push_and_drain()
        failed = await api.push_and_drain(push_again=True)
        assert failed["failed_count"] == 3
        again = await api.call("POST", f"/api/clay/jobs/{failed['id']}/retry")
        assert (again["lead_count"], again["skipped_count"], again["message"]) == (3, 0, "Clay push job queued")
        await api.drain()
        assert set(api.receiver.leads.values()) == {3}
        async with api.database.transaction() as connection:
            assert await verify(connection, timedelta(minutes=1)) == []


async def test_a_retry_of_a_retry_sends_the_leads_of_the_first_job(database_url: str) -> None:
    """An explicit request to send leads again, or to send leads that may be in Clay, applies to every later retry."""
    clay = Receiver(answer=lambda number, _body: status(422) if number in {1, 2} else OK)
    async with run_api_with_leads(database_url, receiver=clay, leads=1) as api:
        await api.push_and_drain()
        first = await api.push_and_drain(push_again=True)
        second = await api.call("POST", f"/api/clay/jobs/{first['id']}/retry")
        await api.drain()
        third = await api.call("POST", f"/api/clay/jobs/{second['job_id']}/retry")
        assert third["skipped_count"] == 0
        await api.drain()
        assert api.receiver.leads == {str(api.lead_ids[0]): 4}


async def test_a_refused_retry_of_an_unknown_lead_can_be_retried(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if number == 0 else OK)
    async with run_api_with_leads(database_url, receiver=clay, leads=1) as api:
        unknown = await add_failed_job(api, {api.lead_ids[0]: "unknown"})
        refused = await api.call("POST", f"/api/clay/jobs/{unknown}/retry", {"causes": ["unknown"]})
        await api.drain()
        again = await api.call("POST", f"/api/clay/jobs/{refused['job_id']}/retry")
        assert again["skipped_count"] == 0
        await api.drain()
        assert api.receiver.leads == {str(api.lead_ids[0]): 2}


@pytest.mark.parametrize("push_again", [False, True])
async def test_a_retry_does_not_send_leads_that_another_job_has_delivered(database_url: str, push_again: bool) -> None:
    refused = range(3, 6) if push_again else range(3)
    clay = Receiver(answer=lambda number, _body: status(422) if number in refused else OK)
    async with run_api_with_leads(database_url, receiver=clay) as api:
        if push_again:
            await api.push_and_drain()
        failed = await api.push_and_drain(push_again=push_again)
        assert failed["failed_count"] == 3
        delivered = await api.push_and_drain(api.lead_ids[:1], push_again=push_again)
        assert delivered["success_count"] == 1
        again = await api.call("POST", f"/api/clay/jobs/{failed['id']}/retry")
        assert (again["lead_count"], again["skipped_count"]) == (3, 1)
        await api.drain()
        skipped = (await api.call("GET", f"/api/clay/jobs/{again['job_id']}/leads?status=skipped"))["leads"]
        assert [(each["lead"]["id"], each["cause"]) for each in skipped] == [(str(api.lead_ids[0]), "already_in_clay")]


async def test_a_retry_that_queues_nothing_reports_it(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        failed = await add_failed_job(api, dict.fromkeys(api.lead_ids, "rejected"))
        await api.push_and_drain()
        again = await api.call("POST", f"/api/clay/jobs/{failed}/retry")
        assert again["skipped_count"] == 3
        assert again["message"] == "Nothing was queued: 3 leads skipped. Already in your Clay table."
