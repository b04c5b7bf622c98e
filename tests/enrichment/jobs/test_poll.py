"""Reading a run: pages, items that are missing or have an unknown status, results that are gone, and a key that is refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clay_push_service.enrichment.runs.poll import poll_next
from tests.enrichment.conftest import CONFIG
from tests.enrichment.jobs.enriching import Enriching, enriching
from tests.support.sandbox import Json


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    async with enriching(database_url, tmp_path, leads=6) as app:
        yield app


async def test_a_run_is_polled_until_it_is_complete(ready: Enriching) -> None:
    await ready.plan(run_seconds=60)
    job = await ready.enrich()
    await ready.start()
    wait = await ready.poll()
    assert wait == 0
    [run] = await ready.runs()
    assert (run.state, run.polls, run.complete_at, run.claim_token) == ("running", 1, None, None)
    shown = await ready.job(job["job_id"])
    assert (shown["status"], shown["waiting"]) == ("running", "Clay works on the leads.")
    await ready.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
    await ready.poll()
    assert (await ready.outcomes(job["job_id"]))[("found", None)] == 6
    assert await ready.poll() is None, "a run without a live item is not polled"


async def test_a_poll_is_not_due_before_its_time(ready: Enriching) -> None:
    await ready.plan(run_seconds=60)
    await ready.enrich()
    await ready.start()
    wait = await poll_next(ready.context, ready.api.org_id)
    assert wait is not None
    assert 0 < wait <= 3
    assert (await ready.clay())["requests"].get("results") is None


async def test_items_that_clay_leaves_out_end_some_time_after_the_run_is_complete(ready: Enriching) -> None:
    await ready.plan(deviations={"missing_items": 0.5, "seed": 4})
    job = await ready.enrich()
    await ready.start()
    await ready.poll()
    states = [each["state"] for each in await ready.items(job["job_id"])]
    missing = states.count("requested")
    assert 0 < missing < 6
    await ready.poll()
    assert [each["state"] for each in await ready.items(job["job_id"])] == states, "they may still appear"
    await ready.expire_deadlines(minutes=16)
    await ready.poll()
    assert await ready.outcomes(job["job_id"]) == {("found", None): 6 - missing, ("expired", "missing_result"): missing}
    await ready.check_totals()


async def test_an_unknown_status_is_pending_until_the_deadline(ready: Enriching) -> None:
    await ready.plan(deviations={"unknown_status": 1.0})
    job = await ready.enrich()
    await ready.start()
    await ready.poll()
    await ready.expire_deadlines(hours=1)
    await ready.poll()
    assert [each["state"] for each in await ready.items(job["job_id"])] == ["requested"] * 6
    await ready.expire_deadlines(hours=24)
    await ready.sweep()
    assert await ready.outcomes(job["job_id"]) == {("expired", "still_running"): 6}
    assert [run.state for run in await ready.runs()] == ["ended"]


async def test_results_that_clay_no_longer_keeps_end_as_expired(ready: Enriching) -> None:
    await ready.plan(run_seconds=10)
    job = await ready.enrich()
    await ready.start()
    await ready.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 90_000})
    await ready.poll()
    assert await ready.outcomes(job["job_id"]) == {("expired", "results_expired"): 6}
    [run] = await ready.runs()
    assert (run.state, run.cause) == ("ended", "results_expired")
    assert (await ready.job(job["job_id"]))["status"] == "failed"


async def test_a_poll_that_fails_is_repeated_and_charges_nothing(ready: Enriching) -> None:
    job = await ready.enrich()
    await ready.start()
    faults: list[dict[str, Json]] = [
        {"kind": "status", "status": 503, "next": 1},
        {"kind": "reset_after", "next": 1},
        {"kind": "status", "status": 429, "next": 1},
    ]
    for fault in faults:
        await ready.plan(faults={"results": {"rules": [fault]}})
        await ready.poll()
        assert [each["state"] for each in await ready.items(job["job_id"])] == ["requested"] * 6
        await ready.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
    await ready.poll()
    assert (await ready.outcomes(job["job_id"]))[("found", None)] == 6
    assert (await ready.clay())["requests"]["run"] == 1


async def test_a_key_that_is_refused_while_a_run_is_read_waits_for_another_key(ready: Enriching) -> None:
    job = await ready.enrich()
    await ready.start()
    await ready.plan(keys=["another"])
    await ready.poll()
    await ready.poll()
    assert (await ready.api.call("GET", CONFIG))["key_state"] == "refused"
    assert (await ready.clay())["requests"]["results"] == 1, "a refused key is not used again"
    await ready.save(api_key="another")
    await ready.poll()
    assert (await ready.outcomes(job["job_id"]))[("found", None)] == 6


async def test_a_page_that_is_read_twice_has_one_effect(ready: Enriching) -> None:
    await ready.plan(deviations={"missing_items": 0.5, "seed": 4})
    await ready.enrich()
    await ready.start()
    await ready.poll()
    await ready.poll()
    [count] = await ready.api.installation.fetch("SELECT count(*) AS n FROM clay.enriched_values")
    [ended] = await ready.api.installation.fetch("SELECT count(*) AS n FROM clay.enrichment_items WHERE state = 'done'")
    assert count.n == ended.n
