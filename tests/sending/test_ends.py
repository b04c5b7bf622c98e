"""Push jobs end or wait: an exhausted or missing webhook, a missing lead, an outage that ends or continues."""

from uuid import UUID

import pytest

from tests.harness.api import run_api_with_leads
from tests.harness.installation import install_with_drainer
from tests.support.receiver import OK, Receiver, status

OUTAGE = """
UPDATE clay.destination_versions
SET state = 'waiting', state_reason = 'server_error', outages = 10, probe_at = now(),
    state_since = now() - interval '{since}'
"""
USED_UP = status(403, body='{"message": "Record limit reached for this webhook"}')


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(USED_UP, "quota_exhausted"), (status(404), "webhook_gone"), (status(410), "webhook_gone")],
    ids=["used up", "404", "410"],
)
async def test_a_webhook_that_accepts_no_more_is_closed_until_another_is_set(
    database_url: str, answer: bytes, cause: str
) -> None:
    clay = Receiver(answer=lambda _number, _body: answer)
    async with run_api_with_leads(database_url, leads=40, receiver=clay, in_flight_per_destination=1) as p:
        job = await p.push_and_drain()
        assert (job["status"], job["failed_count"]) == ("failed", 40)
        assert [each["cause"] for each in job["causes"]] == [cause]
        assert len(clay.posts) < 10, "the third refusal closes the destination, and no further lead is sent"
        body = {"lead_ids": [str(p.lead_ids[0])]}
        refused = await p.call("POST", "/api/clay/push", body, status=409)
        assert (refused["code"], refused["reason"]) == ("destination_closed", cause)
        shown = (await p.call("GET", "/api/clay/status"))["destination"]
        assert (shown["state"], shown["reason"]) == ("closed", cause)
        clay.answer = lambda _number, _body: OK
        await p.call("PUT", "/api/clay/config", {"webhook_url": f"{clay.url}-a-new-source"})
        again = await p.call("POST", f"/api/clay/jobs/{job['id']}/retry", {})
        await p.drain()
        assert (await p.job(again["job_id"]))["success_count"] == 40


async def test_a_lead_deleted_in_nexusleads_fails_as_gone_and_stops_no_other(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        job_id = await p.queue()
        await p.host.connection.execute(f"DELETE FROM lead_scores WHERE {p.host.name('lead_id')} = $1", p.lead_ids[0])
        await p.host.connection.execute(f"DELETE FROM {p.host.name('leads')} WHERE id = $1", p.lead_ids[0])
        await p.drain()
        job = await p.job(job_id)
        assert (job["status"], job["success_count"], job["failed_count"]) == ("completed", 2, 1)
        page = await p.call("GET", f"/api/clay/jobs/{job_id}/leads?status=failed")
        assert [(each["lead"]["id"], each["cause"]) for each in page["leads"]] == [(str(p.lead_ids[0]), "lead_gone")]
        assert str(p.lead_ids[0]) not in p.receiver.leads


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("UPDATE clay.workspaces SET next_slot_at = now() + interval '40 seconds'", "throttled"),
        ("UPDATE clay.clay_push_log SET due_at = now() + interval '40 seconds'", "retrying"),
        (OUTAGE.replace("now(),", "now() + interval '40 seconds',").format(since="1 minute"), "server_error"),
    ],
    ids=["throttled", "retrying", "outage"],
)
async def test_a_job_reports_what_it_waits_for(database_url: str, what: str, reason: str) -> None:
    async with run_api_with_leads(database_url) as p:
        job_id = await p.queue()
        await p.host.connection.execute(
            "UPDATE clay.push_jobs SET status = 'running', started_at = now() WHERE id = $1", UUID(job_id)
        )
        assert (await p.job(job_id))["waiting"] is None
        await p.host.connection.execute(what)
        job = await p.job(job_id)
        assert job["waiting"]["reason"] == reason
        assert job["waiting"]["until"] is not None
        assert (job["rate"], job["eta_seconds"]) == (None, None)


async def test_an_outage_is_probed_with_one_lead_and_uses_no_attempts(database_url: str) -> None:
    clay = Receiver(answer=lambda _number, _body: status(503))
    async with install_with_drainer(database_url, clay, leads=20, outage_probe_seconds=60.0) as (w, drainer, _):
        accepted = await w.push()
        await w.fetch(OUTAGE.format(since="5 minutes"))
        await drainer.drain(accepted.job_id)
        await drainer.drain(accepted.job_id)  # a slice before the next probe sends nothing
        assert len(clay.posts) == 1
        rows = await w.deliveries(accepted.job_id)
        assert {(row.status, row.attempts) for row in rows} == {("pending", 0)}
        [version] = await w.fetch(
            "SELECT state, extract(epoch FROM probe_at - now()) AS seconds FROM clay.destination_versions"
        )
        assert version.state == "waiting"
        assert 50 < version.seconds <= 60


@pytest.mark.parametrize(("minutes", "is_over"), [(29, False), (31, True)])
async def test_after_half_an_hour_of_outage_the_rest_of_the_job_fails(
    database_url: str, minutes: int, *, is_over: bool
) -> None:
    clay = Receiver(answer=lambda _number, _body: status(503))
    async with install_with_drainer(database_url, clay, leads=5, outage_probe_seconds=60.0) as (w, drainer, _):
        accepted = await w.push()
        await w.fetch(f"UPDATE clay.push_jobs SET created_at = now() - interval '{minutes} minutes'")
        await w.fetch(OUTAGE.format(since=f"{minutes} minutes"))
        await drainer.drain(accepted.job_id)
        job = await w.job(accepted.job_id)
        causes = {row.cause for row in await w.deliveries(accepted.job_id) if row.status == "failed"}
        if is_over:
            assert (job.status, job.failed_count, causes) == ("failed", 5, {"clay_unavailable"})
            assert clay.posts == []
        else:
            assert (job.status, job.failed_count, causes) == ("running", 0, set())


async def test_a_push_accepted_during_an_outage_waits_half_an_hour_from_its_own_start(database_url: str) -> None:
    clay = Receiver(answer=lambda _number, _body: status(503))
    async with install_with_drainer(database_url, clay, leads=2, outage_probe_seconds=60.0) as (w, drainer, _):
        await w.fetch(OUTAGE.format(since="2 hours"))
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        assert (await w.job(accepted.job_id)).status == "running"


async def test_queued_leads_end_when_another_jobs_refusals_close_the_webhook(database_url: str) -> None:
    """The second job never starts, so only the refusals that the first job records can end it."""
    clay = Receiver(answer=lambda _number, _body: status(401))
    async with install_with_drainer(database_url, clay, leads=8) as (w, drainer, clay):
        first, second = await w.push(w.lead_ids[:4]), await w.push(w.lead_ids[4:])
        await drainer.drain(first.job_id)
        await drainer.stop(10.0)
        job = await w.job(second.job_id)
        assert (job.status, job.failed_count) == ("failed", 4)
        assert {(row.cause, row.attempts) for row in await w.deliveries(second.job_id)} == {("unauthorized", 0)}
