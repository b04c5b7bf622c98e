"""A job by the way `routine`: accepted, started once, polled, and each lead with values or a named reason."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause
from tests.enrichment.jobs.enriching import JOBS, ROUTINES, Enriching, enriching


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    async with enriching(database_url, tmp_path) as app:
        yield app


async def test_a_batch_ends_with_values_counts_and_costs(ready: Enriching) -> None:
    accepted = await ready.enrich()
    assert (accepted["lead_count"], accepted["skipped_count"]) == (3, 0)
    assert accepted["message"] == "Queued for enrichment: 3 leads."
    assert accepted["estimate"]["credits"] == {"low": 3, "high": 6}
    await ready.work()
    job = await ready.job(accepted["job_id"])
    assert (job["status"], job["found_count"], job["pending_count"], job["progress_percent"]) == (
        "completed",
        3,
        0,
        100,
    )
    assert (job["basis"], job["mode"], job["created_by"]) == ("legitimate_interest", "batch", "user:member")
    assert await ready.value(ready.lead_ids[0]) == "ada.number0@example.com"
    [run] = await ready.runs()
    assert (run.state, run.cause) == ("ended", None)
    await ready.check_totals()


async def test_one_lead_is_enriched_by_the_button(ready: Enriching) -> None:
    path = f"/api/clay/leads/{ready.lead_ids[0]}/enrich"
    accepted = await ready.api.call("POST", path, {"kind": "full", "basis": "consent"}, who="member", status=202)
    await ready.work()
    [item] = await ready.items(accepted["job_id"])
    assert (item["outcome"], item["found"]) == ("found", ["email", "phone", "job_title"])
    assert (await ready.job(accepted["job_id"]))["basis"] == "consent"
    again = await ready.api.call("POST", path, {"kind": "full", "basis": "consent"}, status=202)
    await ready.work()
    assert (await ready.items(again["job_id"]))[0]["outcome"] == "found", "the button requests it again"


async def test_found_partial_nothing_and_failed_are_distinguished(ready: Enriching) -> None:
    await ready.plan(
        routines={"full": {"outputs": {"Work Email": "{first}.{last}@{domain}", "Job Title": "", "Confidence": 92}}}
    )
    accepted = await ready.enrich(ready.lead_ids[:1], kind="full")
    await ready.work()
    [item] = await ready.items(accepted["job_id"])
    assert (item["outcome"], item["found"], item["not_found"]) == ("partial", ["email"], ["phone", "job_title"])
    await ready.plan(deviations={"empty": 1.0})
    nothing = await ready.enrich(ready.lead_ids[1:2], kind="full")
    await ready.work()
    [item] = await ready.items(nothing["job_id"])
    assert (item["outcome"], item["message"]) == ("nothing", "No data found")
    assert item["remedy"].startswith("Lead may have limited online presence.")
    await ready.plan(deviations={"failed": 1.0})
    failed = await ready.enrich(ready.lead_ids[2:], kind="full")
    await ready.work()
    assert await ready.outcomes(failed["job_id"]) == {("failed", "item_failed"): 1}
    assert (await ready.job(failed["job_id"]))["status"] == "failed"
    lead = await ready.api.call("GET", f"/api/clay/leads/{ready.lead_ids[1]}/enrichment")
    states = {each["field"]: each["state"] for each in lead["fields"]}
    assert (states["email"], states["twitter_url"]) == ("not_found", "not_searched")


async def test_a_lead_is_never_requested_twice_at_once_nor_again_without_an_explicit_request(ready: Enriching) -> None:
    both = await asyncio.gather(*(ready.enrich(kind=kind) for kind in ("email", "full", "email", "full")))
    assert sorted(each["skipped_count"] for each in both) == [0, 3, 3, 3]
    skipped = next(each for each in both if each["skipped_count"])
    assert await ready.outcomes(skipped["job_id"]) == {("skipped", "already_requested"): 3}
    await ready.work()
    assert (await ready.clay())["items"] == 3
    kind = (await ready.job(next(each for each in both if not each["skipped_count"])["job_id"]))["kind"]
    repeated = await ready.enrich(kind=kind)
    assert await ready.outcomes(repeated["job_id"]) == {("skipped", "already_enriched"): 3}
    assert (await ready.job(repeated["job_id"]))["status"] == "completed"
    again = await ready.enrich(kind=kind, again=True)
    await ready.work()
    assert (await ready.outcomes(again["job_id"]))[("found", None)] == 3
    await ready.check_totals()


async def test_without_name_and_company_nothing_is_sent(ready: Enriching) -> None:
    host = ready.api.host
    bare = await host.lead(ready.api.project_id, full_name=None, company=None)
    refused = await ready.enrich([bare], status=422)
    assert (refused["code"], [each["field"] for each in refused["errors"]]) == (
        "missing_input", ["full_name", "company_name"],
    )  # fmt: skip
    assert "Nothing was sent." in refused["detail"]
    mixed = await ready.enrich([bare, ready.lead_ids[0]])
    await ready.work()
    assert await ready.outcomes(mixed["job_id"]) == {("failed", "missing_input"): 1, ("found", None): 1}
    [item] = [each for each in await ready.items(mixed["job_id"]) if each["cause"]]
    assert (item["missing"], item["credits"]) == (["full_name", "company_name"], 0)
    assert (await ready.clay())["items"] == 1


async def test_refusals_name_what_is_missing_in_the_guides_words(ready: Enriching) -> None:
    too_many = [ready.lead_ids[0]] * 51
    assert (await ready.enrich(too_many, status=422))["code"] == "invalid_request"
    await ready.save(routines={"full": None})
    assert (await ready.enrich(kind="full", status=409))["code"] == "routine_not_set"
    await ready.api.call("DELETE", "/api/clay/enrichment/config")
    refused = await ready.enrich(status=409)
    assert (refused["code"], refused["detail"]) == (
        "credentials_not_configured", "Clay API credentials not configured",
    )  # fmt: skip
    assert refused["remedy"] == API_EXPLANATIONS[ApiCause.NOT_CONFIGURED].remedy
    assert (await ready.clay())["items"] == 0


async def test_a_repeated_request_with_the_same_key_is_one_job(ready: Enriching) -> None:
    body = {"lead_ids": [str(each) for each in ready.lead_ids], "kind": "email", "basis": "consent"}
    headers = {"Idempotency-Key": "enrich-1"}
    first = await ready.api.send("POST", "/api/clay/enrich", "member", json=body, headers=headers)
    second = await ready.api.send("POST", "/api/clay/enrich", "member", json=body, headers=headers)
    assert (first.status_code, first.json()) == (202, second.json())
    assert second.headers["Location"] == f"{JOBS}/{first.json()['job_id']}"
    assert len((await ready.api.call("GET", JOBS))["jobs"]) == 1


async def test_cancel_ends_unrequested_leads_and_reports_requested_ones(ready: Enriching) -> None:
    await ready.plan(run_seconds=3600)
    job = await ready.enrich()
    answer = await ready.api.call("POST", f"{JOBS}/{job['job_id']}/cancel", who="member")
    assert (answer["cancelled_count"], answer["requested_count"]) == (3, 0)
    assert (await ready.job(job["job_id"]))["status"] == "cancelled"
    again = await ready.enrich()
    await ready.start()
    answer = await ready.api.call("POST", f"{JOBS}/{again['job_id']}/cancel", who="member")
    assert (answer["cancelled_count"], answer["requested_count"]) == (0, 3)
    assert "cannot be taken back" in answer["message"]
    await ready.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 3600})
    await ready.work()
    ended = await ready.job(again["job_id"])
    assert (ended["status"], ended["found_count"]) == ("cancelled", 3), "what was paid is kept"
    refused = await ready.api.call("POST", f"{JOBS}/{again['job_id']}/cancel", status=409)
    assert refused["code"] == "job_ended"


async def test_keys_in_another_case_numbers_as_strings_and_reported_credits(ready: Enriching) -> None:
    outputs = {**ROUTINES["full"]["outputs"], "credits": "Credits Used"}
    await ready.save(routines={"full": {**ROUTINES["full"], "outputs": outputs}})
    await ready.plan(
        deviations={"other_case": True, "numbers_as_strings": True},
        routines={"full": {"outputs": {"Work Email": "a@example.com", "Credits Used": 1.25, "Confidence": 0.92}}},
    )
    job = await ready.enrich(kind="full")
    await ready.work()
    assert Counter(each["cost_basis"] for each in await ready.items(job["job_id"])) == {"reported": 3}
    assert (await ready.job(job["job_id"]))["spent"]["credits"] == 3.75
    lead = await ready.api.call("GET", f"/api/clay/leads/{ready.lead_ids[0]}/enrichment")
    assert lead["score"] == {"confidence": 92, "band": "very_high", "basis": "reported"}
    await ready.check_totals()


async def test_the_events_of_a_job_end_with_its_last_state(ready: Enriching) -> None:
    job = await ready.enrich()
    await ready.work()
    answer = await ready.api.get(f"{JOBS}/{job['job_id']}/events", "member")
    assert answer.status_code == 200
    assert '"status":"completed"' in answer.text
