"""Cancelling: how each delivery ends, which in-flight deliveries wait for their response, and which jobs are unchanged."""

from uuid import UUID

import pytest

from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.end_queued import end_queued, end_queued_of_version
from tests.harness.api import Api, run_api_with_leads
from tests.harness.installation import Installation, install

CLAIMED = "claim_token = gen_random_uuid(), lease_until = now() + interval '1 minute'"


async def claim_one(api: Api, job_id: str, state: str) -> UUID:
    """Change the first delivery of the job to this state, as a worker does. Returns the delivery's id."""
    found = await api.host.connection.fetchval(
        f"UPDATE clay.clay_push_log SET state = '{state}', {CLAIMED} WHERE id ="
        " (SELECT id FROM clay.clay_push_log WHERE job_id = $1 ORDER BY seq LIMIT 1) RETURNING id",
        UUID(job_id),
    )
    assert isinstance(found, UUID)
    return found


async def test_a_finished_job_is_not_cancelled(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job = await api.push_and_drain()
        refused = await api.call("POST", f"/api/clay/jobs/{job['id']}/cancel", status=409)
        assert refused["code"] == "job_ended"
        assert (await api.job(job["id"]))["status"] == "completed"
        assert await api.host.connection.fetchval("SELECT cancel_requested_at FROM clay.push_jobs") is None


async def test_claimed_deliveries_end_and_deliveries_in_flight_wait_for_their_response(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=4) as api:
        job_id = await api.queue()
        sending = await claim_one(api, job_id, "sending")
        await api.host.connection.execute(
            f"UPDATE clay.clay_push_log SET state = 'claimed', {CLAIMED} WHERE id ="
            " (SELECT id FROM clay.clay_push_log WHERE state = 'waiting' ORDER BY seq LIMIT 1)"
        )
        answer = await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        assert (answer["cancelled_count"], answer["in_flight"]) == (3, 1)
        rows = await api.host.connection.fetch("SELECT id, status, state, cause FROM clay.clay_push_log ORDER BY seq")
        assert [(row["state"], row["cause"]) for row in rows] == [("sending", None)] + [("done", "cancelled")] * 3
        assert {row["status"] for row in rows[1:]} == {"skipped"}
        assert rows[0]["id"] == sending
        job = await api.job(job_id)
        assert (job["status"], job["skipped_count"], job["pending_count"]) == ("pending", 3, 1)


async def test_cancelling_twice_keeps_the_first_time(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job_id = await api.queue()
        await claim_one(api, job_id, "sending")
        await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        first = await api.host.connection.fetchval("SELECT cancel_requested_at FROM clay.push_jobs")
        await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        assert await api.host.connection.fetchval("SELECT cancel_requested_at FROM clay.push_jobs") == first


async def test_a_cancelled_job_has_status_cancelled_and_not_completed(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job_id = await api.queue()
        await api.call("POST", f"/api/clay/jobs/{job_id}/cancel")
        assert (await api.job(job_id))["status"] == "cancelled"


async def status_of(installation: Installation, job_id: UUID) -> str:
    return str((await installation.job(job_id)).status)


@pytest.mark.parametrize("started", [False, True])
async def test_jobs_end_when_their_webhook_is_removed_and_jobs_of_another_do_not(
    database_url: str, started: bool
) -> None:
    async with install(database_url, leads=6) as installation:
        first = await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        mine = await installation.push(installation.lead_ids[:3])
        await installation.configure("https://api.clay.com/v3/sources/webhook/y")
        other = await installation.push(installation.lead_ids[3:])
        if started:
            await installation.fetch("UPDATE clay.push_jobs SET status = 'running', started_at = now()")
        before = await status_of(installation, other.job_id)
        async with installation.database.transaction() as connection:
            assert await end_queued_of_version(connection, first, Cause.WEBHOOK_GONE) == 3
        job = await installation.job(mine.job_id)
        assert (job.status, job.failed_count, job.skipped_count) == ("failed", 3, 0)
        assert {row.cause for row in await installation.deliveries(mine.job_id)} == {"webhook_gone"}
        assert await status_of(installation, other.job_id) == before
        assert {row.state for row in await installation.deliveries(other.job_id)} == {"waiting"}


async def test_ending_a_job_without_queued_deliveries_changes_no_counter(database_url: str) -> None:
    async with install(database_url, leads=2) as installation:
        await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        accepted = await installation.push()
        async with installation.database.transaction() as connection:
            assert await end_queued(connection, [accepted.job_id], Cause.CLAY_UNAVAILABLE) == {accepted.job_id: 2}
        async with installation.database.transaction() as connection:
            assert await end_queued(connection, [accepted.job_id], Cause.CANCELLED) == {}
        job = await installation.job(accepted.job_id)
        assert (job.status, job.failed_count, job.skipped_count) == ("failed", 2, 0)
