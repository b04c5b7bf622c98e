"""Clay refuses, throttles or loses a start: what ends, what waits, and what is never sent again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.enrichment.conftest import CONFIG, TEST
from tests.enrichment.jobs.enriching import Enriching, enriching
from tests.support.sandbox import Json


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    async with enriching(database_url, tmp_path) as app:
        yield app


def on_start(*rules: dict[str, Json]) -> Json:
    return {"run": {"seed": 0, "rules": list(rules)}}


async def test_credits_that_are_used_up_end_the_job_and_pause_the_rules(ready: Enriching) -> None:
    await ready.plan(credits=0)
    job = await ready.enrich()
    await ready.work()
    assert await ready.outcomes(job["job_id"]) == {("failed", "insufficient_credits"): 3}
    [cause] = (await ready.job(job["job_id"]))["causes"]
    assert (cause["message"], cause["remedy"][:44]) == (
        "Insufficient credits", "Check your credit balance in Clay dashboard.",
    )  # fmt: skip
    [row] = await ready.api.installation.fetch("SELECT rules_paused_cause FROM clay.enrichment_settings")
    assert row.rules_paused_cause == "insufficient_credits"
    await ready.plan()
    body = {"kind": "email", "run_item": True, "lead_id": str(ready.lead_ids[0])}
    assert (await ready.api.call("POST", TEST, body))["success"]
    [row] = await ready.api.installation.fetch("SELECT rules_paused_at FROM clay.enrichment_settings")
    assert row.rules_paused_at is None, "a successful test with an item resumes the rules"


async def test_a_refused_key_stops_enrichment_until_a_key_is_accepted(ready: Enriching) -> None:
    await ready.plan(keys=["another"])
    job = await ready.enrich(ready.lead_ids[:1])
    other = await ready.enrich(ready.lead_ids[1:], kind="full")
    await ready.start()
    for each in (job, other):
        assert {cause for _, cause in await ready.outcomes(each["job_id"])} == {"invalid_credentials"}
    assert (await ready.api.call("GET", CONFIG))["key_state"] == "refused"
    refused = await ready.enrich(status=409)
    assert (refused["code"], refused["detail"]) == ("invalid_credentials", "Invalid Clay API credentials")
    requests = (await ready.clay())["requests"]["run"]
    await ready.plan()
    await ready.api.call("POST", TEST, {"kind": "email"})
    accepted = await ready.enrich()
    await ready.work()
    assert (await ready.outcomes(accepted["job_id"]))[("found", None)] == 3
    assert requests == 1


async def test_a_missing_routine_ends_the_job_and_a_bad_request_ends_its_items(ready: Enriching) -> None:
    await ready.plan(routines={})
    gone = await ready.enrich(ready.lead_ids[:1])
    await ready.work()
    assert await ready.outcomes(gone["job_id"]) == {("failed", "not_found"): 1}
    await ready.plan(faults=on_start({"kind": "status", "status": 400, "next": 1}))
    rejected = await ready.enrich(ready.lead_ids[1:])
    await ready.work()
    assert await ready.outcomes(rejected["job_id"]) == {("failed", "rejected"): 2}
    assert (await ready.clay())["charged"] == 0
    assert [each["credits"] for each in await ready.items(rejected["job_id"])] == [0, 0]


async def test_a_429_delays_the_organization_and_uses_no_attempt(ready: Enriching) -> None:
    await ready.plan(faults=on_start({"kind": "status", "status": 429, "retry_after": "120", "next": 1}))
    job = await ready.enrich()
    assert await ready.start() == 0
    [row] = await ready.api.installation.fetch(
        "SELECT next_request_at - now() > interval '100 seconds' AS postponed FROM clay.enrichment_settings"
    )
    assert row.postponed
    assert [each["state"] for each in await ready.items(job["job_id"])] == ["queued"] * 3
    wait = await ready.start()
    assert wait is not None
    assert wait > 100, "no request before the time that Clay names"
    assert (await ready.clay())["requests"]["run"] == 1
    await ready.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
    await ready.work()
    assert (await ready.outcomes(job["job_id"]))[("found", None)] == 3
    assert [each["credits"] for each in await ready.items(job["job_id"])] == [2, 2, 2]
    await ready.check_totals()


async def test_after_a_quarter_of_an_hour_of_429_the_leads_fail_as_rate_limited(ready: Enriching) -> None:
    await ready.plan(faults=on_start({"kind": "status", "status": 429, "retry_after": "1"}))
    job = await ready.enrich()
    await ready.start()
    for statement in (
        "UPDATE clay.enrichment_items SET throttled_at = throttled_at - interval '16 minutes'",
        "UPDATE clay.enrichment_settings SET next_request_at = now()",
    ):
        await ready.api.installation.fetch(statement)
    await ready.start()
    assert await ready.outcomes(job["job_id"]) == {("failed", "rate_limited"): 3}
    assert (await ready.items(job["job_id"]))[0]["message"] == "Rate limit"


async def test_a_start_that_was_not_connected_is_repeated_three_times(ready: Enriching) -> None:
    job = await ready.enrich()
    await ready.sandbox.kill()
    for _ in range(4):
        assert [each["state"] for each in await ready.items(job["job_id"])] == ["queued"] * 3
        await ready.start()
    assert await ready.outcomes(job["job_id"]) == {("failed", "not_connected"): 3}
    assert (await ready.job(job["job_id"]))["spent"]["credits"] == 0


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "reset_after"}, {"kind": "reset_before"}]
)
async def test_a_start_without_a_clear_response_is_held_and_never_repeated(
    ready: Enriching, fault: dict[str, Json]
) -> None:
    await ready.plan(faults=on_start(fault))
    job = await ready.enrich()
    for _ in range(3):
        await ready.start()
        await ready.sweep()
    assert [each["state"] for each in await ready.items(job["job_id"])] == ["held"] * 3
    assert "no clear response" in (await ready.job(job["job_id"]))["waiting"]
    assert (await ready.clay())["requests"]["run"] == 1
    assert (await ready.enrich(again=True))["skipped_count"] == 3, "held is live: it is not requested a second time"
    await ready.expire_deadlines(hours=25)
    await ready.sweep()
    assert await ready.outcomes(job["job_id"]) == {("expired", "held"): 3}
    assert "may have been charged" in (await ready.items(job["job_id"]))[0]["message"]
    assert (await ready.job(job["job_id"]))["spent"]["credits"] == 6, "the reservation stays"
    assert [run.state for run in await ready.runs()] == ["ended"]
    skipped = await ready.enrich()
    assert await ready.outcomes(skipped["job_id"]) == {("skipped", "maybe_charged"): 3}
    await ready.plan()
    again = await ready.enrich(again=True)
    await ready.work()
    assert (await ready.outcomes(again["job_id"]))[("found", None)] == 3, "only an explicit request starts it again"


async def test_the_run_of_a_worker_that_dies_during_its_start_becomes_held(ready: Enriching) -> None:
    await ready.enrich()
    await ready.plan(faults=on_start({"kind": "status", "status": 503}))
    await ready.start()
    await ready.api.installation.fetch("""
        UPDATE clay.enrichment_runs SET state = 'starting', claim_token = gen_random_uuid(), lease_until = now()""")
    await ready.api.installation.fetch("UPDATE clay.enrichment_items SET state = 'starting', deadline_at = NULL")
    await ready.expire_deadlines(minutes=5)
    await ready.sweep()
    assert [run.state for run in await ready.runs()] == ["held"]
    assert await ready.start() is None
    assert (await ready.clay())["requests"]["run"] == 1
