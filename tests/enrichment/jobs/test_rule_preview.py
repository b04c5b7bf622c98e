"""The preview of an auto-enrich rule: each lead has the first condition that excludes it, and a run requests exactly the others."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from clay_push_service.enrichment.rules.run_rule import RuleRunner
from clay_push_service.enrichment.rules.runs import queue_scan_run
from tests.enrichment.jobs.enriching import JOBS, Enriching, enriching

BUDGET = {"credits_per_day": 1000, "actions_per_day": None, "time_zone": "UTC"}
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
NOTHING: Mapping[str, int] = {}


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    """Two leads without score and classification, and no rule."""
    async with enriching(database_url, tmp_path, leads=2, settings={"budget": BUDGET}) as app:
        yield app


async def rule(app: Enriching, **fields: object) -> None:
    body = {"enabled": True, "kind": "email", "basis": "legitimate_interest"} | fields
    await app.api.call("PUT", f"/api/clay/projects/{app.api.project_id}/auto-enrich", body)


async def preview(app: Enriching, **query: object) -> Any:
    path = f"/api/clay/projects/{app.api.project_id}/auto-enrich/preview?{urlencode(query)}"
    return await app.api.call("GET", path, who="member")


async def left_out(app: Enriching, **query: object) -> tuple[int, Mapping[str, int]]:
    """Leads that pass, and the number of leads by condition."""
    found = await preview(app, **query)
    counts = {each["clause"]: each["count"] for each in found["left_out"]}
    assert found["lead_count"] == found["to_enrich"] + sum(counts.values())
    assert all(each["message"] for each in found["left_out"])
    return found["to_enrich"], counts


async def run(app: Enriching) -> Any:
    async with app.api.database.transaction() as connection:
        await queue_scan_run(connection, app.api.org_id, app.api.project_id, uuid4())
    context = app.context
    await RuleRunner(context.database, context.host, context.settings, context.box, lambda: NOON).run_pass()
    found = await app.api.call("GET", f"/api/clay/projects/{app.api.project_id}/auto-enrich")
    return found["runs"][0]


async def lead(app: Enriching, score: float | None = 80, classification: str | None = "DECISION_MAKER") -> UUID:
    host = app.api.host
    added = await host.lead(app.api.project_id, full_name="Eve", company="Acme", score=score)
    if classification is not None:
        await host.add("social_context", lead_id=added, classification=classification)
    return added


async def requested(app: Enriching) -> set[str]:
    jobs = (await app.api.call("GET", JOBS))["jobs"]
    return {item["lead_id"] for job in jobs for item in await app.items(job["id"])}


async def test_each_lead_has_the_first_condition_that_excludes_it_and_a_run_requests_the_others(
    ready: Enriching,
) -> None:
    await ready.enrich([ready.lead_ids[0]])
    await ready.work()
    excluded, erased = ready.lead_ids[1], await lead(ready)
    await ready.api.call("POST", "/api/clay/exclusions", {"lead_id": str(excluded), "reason": "r"}, status=201)
    await ready.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(erased)], "former_values": []})
    passing = [await lead(ready, score) for score in (70, 90, 80)]
    for score, classification in ((69.99, "DECISION_MAKER"), (None, "DECISION_MAKER"), (95, "ENGINEER"), (96, None)):
        await lead(ready, score, classification)
    await rule(ready, min_score=70, classifications=["DECISION_MAKER"])
    before = await requested(ready)
    expected = {"erased": 1, "excluded": 1, "requested_before": 1, "min_score": 2, "classification": 2}
    assert await left_out(ready) == (3, expected)
    found = await preview(ready)
    assert [each["id"] for each in found["leads"][:3]] == [str(passing[1]), str(passing[2]), str(passing[0])]
    assert {each["left_out_by"] for each in found["leads"]} == {None, *expected}
    assert (found["next_run"], found["estimate"]["credits"]) == (3, {"low": 3, "high": 6})
    assert (found["blocked"], found["rule"]["min_score"]) == (None, 70)
    ran = await run(ready)
    assert (ran["outcome"], ran["lead_count"]) == ("queued", 3)
    assert await requested(ready) - before == {str(each) for each in passing}
    assert (await left_out(ready))[0] == 0


async def test_pages_contain_each_lead_once(ready: Enriching) -> None:
    await rule(ready, min_score=50)
    for score in (10, 60, None, 70, 60):
        await lead(ready, score)
    whole = [each["id"] for each in (await preview(ready))["leads"]]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await preview(ready, limit=2, cursor=cursor)
        seen += [each["id"] for each in page["leads"]]
        cursor = page["next_cursor"]
    assert seen == whole
    assert len(set(seen)) == 7


async def test_the_run_for_stale_leads_has_a_preview_of_its_own(ready: Enriching) -> None:
    await ready.enrich([ready.lead_ids[0]])
    await ready.work()
    await rule(ready)
    unset = await preview(ready, reason="stale")
    assert (unset["blocked"], "stale_months" in unset["message"]) == ("off", True)
    await rule(ready, stale_months=6)
    assert await left_out(ready, reason="stale") == (0, {"not_stale": 2})
    await ready.api.installation.fetch(
        "UPDATE clay.enrichment_items SET finished_at = finished_at - interval '6 months 1 hour'"
    )
    assert await left_out(ready, reason="stale") == (1, {"not_stale": 1})
    assert await left_out(ready, reason="scan") == (1, {"requested_before": 1})


async def test_a_lead_that_was_cancelled_is_still_new(ready: Enriching) -> None:
    job_id = (await ready.enrich())["job_id"]
    await rule(ready)
    assert await left_out(ready) == (0, {"requested_before": 2})
    await ready.api.call("POST", f"{JOBS}/{job_id}/cancel")
    assert await left_out(ready) == (2, NOTHING)


async def test_what_blocks_a_run_is_named(ready: Enriching) -> None:
    off = await preview(ready)
    assert (off["blocked"], off["message"], off["to_enrich"]) == ("off", "Auto-enrich is off for this project.", 2)
    await rule(ready)
    assert (await preview(ready))["blocked"] is None
    await ready.api.installation.fetch(
        "UPDATE clay.enrichment_settings SET rules_paused_at = now(), rules_paused_cause = 'insufficient_credits'"
    )
    assert (await preview(ready))["blocked"] == "paused"
    await ready.api.installation.fetch(
        "UPDATE clay.enrichment_settings SET rules_paused_at = NULL, rules_paused_cause = NULL"
    )
    await ready.save(budget=None)
    refused = await preview(ready)
    assert (refused["blocked"], "daily budget" in refused["message"]) == ("refused", True)


async def test_a_project_of_another_organization_is_404(ready: Enriching) -> None:
    foreign = await ready.api.host.project(ready.api.other_org_id)
    answer = await ready.api.get(f"/api/clay/projects/{foreign}/auto-enrich/preview", who="owner")
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
