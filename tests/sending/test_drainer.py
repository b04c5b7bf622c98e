"""Drains a push job in this process: which leads are sent, what is recorded, and how the job finishes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from clay_push_service.clay.cause import Cause
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import OpenJob
from tests.harness.installation import install_with_drainer
from tests.support.receiver import OK, Receiver, Reset, status


async def test_every_lead_is_sent_once_and_recorded(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=120, token="secret-token") as (w, drainer, clay):
        accepted = await w.push()
        assert (accepted.lead_count, accepted.skipped_count) == (120, 0)
        await w.drain_all(drainer)
        job = await w.job(accepted.job_id)
        assert (job.status, job.success_count, job.failed_count) == ("completed", 120, 0)
        assert len(clay.posts) == 120
        assert set(clay.leads.values()) == {1}
        rows = await w.deliveries(accepted.job_id)
        assert {str(row.id) for row in rows} == {post.delivery_id for post in clay.posts}
        assert all(row.status == "success" and row.attempts == 1 and row.payload_hash for row in rows)
        assert b"x-clay-webhook-auth: secret-token" in clay.headers[0]
        [meter] = await w.fetch("SELECT used FROM clay.quota_meters")
        assert meter.used == 120


async def test_leads_in_clay_are_skipped_and_sent_again_only_on_request(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=5) as (w, drainer, clay):
        await w.push()
        await w.drain_all(drainer)
        second = await w.push()
        assert (second.lead_count, second.skipped_count) == (5, 5)
        assert (await w.job(second.job_id)).status == "completed"
        third = await w.push(w.lead_ids[:2], again=True)
        await w.drain_all(drainer)
        assert (await w.job(third.job_id)).success_count == 2
        assert len(clay.posts) == 7


async def test_a_5xx_is_attempted_four_times_and_then_fails(database_url: str) -> None:
    clay = Receiver(answer=lambda _number, _body: status(503))
    async with install_with_drainer(database_url, clay, leads=1) as (w, drainer, clay):
        accepted = await w.push()
        await w.drain_all(drainer)
        [row] = await w.deliveries(accepted.job_id)
        assert (row.status, row.cause, row.attempts, row.clay_response_status) == ("failed", "server_error", 4, 503)
        assert len(clay.posts) == 4
        assert (await w.job(accepted.job_id)).status == "failed"


async def test_a_throttled_delivery_keeps_its_attempts_and_lowers_the_rate(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(429, headers="Retry-After: 1\r\n") if number == 3 else OK)
    async with install_with_drainer(database_url, clay, leads=10, rate_limit_ms=20, in_flight_per_destination=1) as (
        w,
        drainer,
        clay,
    ):
        accepted = await w.push()
        await w.drain_all(drainer)
        rows = await w.deliveries(accepted.job_id)
        assert {row.attempts for row in rows} == {1}
        assert (await w.job(accepted.job_id)).success_count == 10
        assert max(clay.gaps) >= 0.95
        [pace] = await w.fetch("SELECT throttled_ms FROM clay.workspaces")
        assert pace.throttled_ms == 25


async def test_a_429_to_every_11th_post_lowers_the_rate_a_little_each_time_and_loses_no_lead(database_url: str) -> None:
    """20 POSTs restore a refused rate. Here only 10 come between two 429 responses, so half of each earlier increase remains."""
    clay = Receiver(answer=lambda number, _body: status(429, headers="Retry-After: 1\r\n") if number % 11 == 10 else OK)
    async with install_with_drainer(database_url, clay, leads=33, rate_limit_ms=20) as (w, drainer, clay):
        accepted = await w.push()
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 33
        assert len(clay.posts) == 36
        assert {row.attempts for row in await w.deliveries(accepted.job_id)} == {1}
        [pace] = await w.fetch("SELECT throttled_ms FROM clay.workspaces")
        assert 25 <= pace.throttled_ms < 30  # an interval that doubled at each 429 would be 160


async def test_a_missing_response_is_unknown_and_sent_again_only_on_request(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: Reset() if number == 0 else OK)
    async with install_with_drainer(database_url, clay, leads=3) as (w, drainer, clay):
        accepted = await w.push()
        await w.drain_all(drainer)
        job = await w.job(accepted.job_id)
        assert (job.status, job.success_count, job.failed_count, job.unknown_count) == ("completed", 2, 1, 1)
        again = await w.push()
        causes = sorted(row.cause for row in await w.deliveries(again.job_id))
        assert causes == [Cause.ALREADY_IN_CLAY, Cause.ALREADY_IN_CLAY, Cause.MAYBE_IN_CLAY]
        [meter] = await w.fetch("SELECT used FROM clay.quota_meters")
        assert meter.used == 3


async def test_the_third_refusal_in_a_row_closes_the_destination(database_url: str) -> None:
    clay = Receiver(answer=lambda _number, _body: status(401))
    async with install_with_drainer(database_url, clay, leads=500, in_flight_per_destination=2) as (w, drainer, clay):
        accepted = await w.push()
        await w.drain_all(drainer)
        job = await w.job(accepted.job_id)
        assert (job.status, job.failed_count) == ("failed", 500)
        assert len(clay.posts) < 60
        [version] = await w.fetch("SELECT state, state_reason FROM clay.destination_versions")
        assert (version.state, version.state_reason) == ("closed", "unauthorized")


async def test_an_outage_is_probed_and_uses_no_attempts_until_it_ends(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(502) if number < 14 else OK)
    long_timeouts: dict[str, Any] = {
        "request_timeout_seconds": 60.0,
        "connect_timeout_seconds": 60.0,
        "lease_seconds": 150.0,
    }
    async with install_with_drainer(database_url, clay, leads=40, in_flight_per_destination=2, **long_timeouts) as (
        w,
        drainer,
        clay,
    ):
        accepted = await w.push()
        await w.drain_all(drainer, 300.0)
        job = await w.job(accepted.job_id)
        assert (job.status, job.success_count) == ("completed", 40)
        [version] = await w.fetch("SELECT state FROM clay.destination_versions")
        assert version.state == "open"


async def test_a_slice_yields_to_other_jobs_only_when_the_worker_is_full(database_url: str) -> None:
    """With a free slice, other jobs start at once. Ending a slice for them would cost each paced job its next slot."""
    async with install_with_drainer(database_url, leads=2) as (w, drainer, _):
        one = await w.push(w.lead_ids[:1])
        other = await w.push(w.lead_ids[1:])
        assert not await drainer.context.other_jobs_are_waiting(one.job_id)
        drainer.context.config = replace(drainer.context.config, slices=1)
        with drainer.mark_draining(one.job_id):
            assert await drainer.context.other_jobs_are_waiting(one.job_id)
            await w.fetch("DELETE FROM clay.procrastinate_jobs WHERE args ->> 'job_id' = :id", id=str(other.job_id))
            assert not await drainer.context.other_jobs_are_waiting(one.job_id)


async def test_a_wake_up_at_the_end_of_a_slice_is_drained_without_delay(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the next slice is queued, its push job must not count as already draining: it would be delayed by a second."""
    async with install_with_drainer(database_url, leads=3) as (w, drainer, _):
        accepted = await w.push()
        taken = []
        wake_next_slice = SendingContext.wake_next_slice

        async def watched(context: SendingContext, job: OpenJob, resume_seconds: float) -> None:
            taken.append(job.id in context.draining)
            await wake_next_slice(context, job, resume_seconds)

        monkeypatch.setattr(SendingContext, "wake_next_slice", watched)
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 3
        assert taken
        assert not any(taken)


async def test_in_flight_posts_are_counted_until_their_response(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=3, rate_limit_ms=0) as (w, drainer, clay):
        clay.delay_seconds = 0.5
        accepted = await w.push()
        draining_it = asyncio.create_task(drainer.drain(accepted.job_id))
        await clay.until(3)
        assert REGISTRY.get_sample_value("clay_push_posts_in_flight") == 3
        await draining_it
        await drainer.stop(2.0)
        assert REGISTRY.get_sample_value("clay_push_posts_in_flight") == 0


async def test_a_probe_that_opens_the_destination_wakes_its_other_push_jobs(database_url: str) -> None:
    """Each of these push jobs has a wake-up at the time of the next probe."""
    async with install_with_drainer(database_url, leads=2) as (w, drainer, _):
        probing, waiting = await w.push(w.lead_ids[:1]), await w.push(w.lead_ids[1:])
        await w.fetch(
            "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error', probe_at = now()"
        )
        await w.fetch("UPDATE clay.procrastinate_jobs SET scheduled_at = now() + interval '30 seconds'")
        await drainer.drain(probing.job_id)
        await drainer.stop(2.0)
        woken = (
            "SELECT args ->> 'job_id' AS id FROM clay.procrastinate_jobs WHERE status = 'todo' AND scheduled_at IS NULL"
        )
        assert [row.id for row in await w.fetch(woken)] == [str(waiting.job_id)]
