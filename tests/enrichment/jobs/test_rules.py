"""Auto-enrich rules: off by default, with a budget, after a scan once, in the off-peak window, in jobs of 50, and again when stale."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from clay_push_service.enrichment.rules.rule import EnrichRule
from clay_push_service.enrichment.rules.run_rule import RuleRunner
from clay_push_service.enrichment.rules.runs import queue_scan_run
from tests.enrichment.jobs.enriching import JOBS, Enriching, enriching

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BUDGET = {"credits_per_day": 1000, "actions_per_day": None, "time_zone": "Europe/Berlin"}
ON = {"enabled": True, "kind": "email", "basis": "legitimate_interest"}


@pytest.mark.parametrize(
    ("from_hour", "to_hour", "hour", "is_open"),
    [(None, None, 12, True), (22, 6, 23, True), (22, 6, 5, True), (22, 6, 6, False), (22, 6, 12, False), (9, 17, 9, True),
     (9, 17, 17, False)],
)  # fmt: skip
def test_the_window_is_of_the_time_zone_and_may_span_midnight(
    from_hour: int | None, to_hour: int | None, hour: int, *, is_open: bool
) -> None:
    rule = EnrichRule(from_hour=from_hour, to_hour=to_hour)
    assert rule.is_open(datetime(2026, 11, 30, hour, 30, tzinfo=UTC), "UTC") is is_open
    berlin = datetime(2026, 11, 30, (hour - 1) % 24, 30, tzinfo=UTC)
    assert rule.is_open(berlin, "Europe/Berlin") is is_open


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    async with enriching(database_url, tmp_path, leads=3, settings={"budget": BUDGET}) as app:
        yield app


async def rule(app: Enriching, status: int | None = None, **fields: object) -> Any:
    path = f"/api/clay/projects/{app.api.project_id}/auto-enrich"
    return await app.api.call("PUT", path, ON | fields, status=status)


async def scanned(app: Enriching, scan_id: UUID | None = None) -> None:
    async with app.api.database.transaction() as connection:
        await queue_scan_run(connection, app.api.org_id, app.api.project_id, scan_id or uuid4())


async def run(app: Enriching, now: datetime = NOON) -> int:
    context = app.context
    return await RuleRunner(context.database, context.host, context.settings, context.box, lambda: now).run_pass()


async def last_run(app: Enriching) -> Any:
    path = f"/api/clay/projects/{app.api.project_id}/auto-enrich"
    return (await app.api.call("GET", path, who="member"))["runs"][0]


async def test_a_scan_enriches_new_leads_once(ready: Enriching) -> None:
    await scanned(ready)
    assert await run(ready) == 0, "off by default"
    await rule(ready)
    scan_id = uuid4()
    for _ in range(2):
        await scanned(ready, scan_id)
        await run(ready)
    found = await last_run(ready)
    assert (found["outcome"], found["lead_count"], found["source_job_id"]) == ("queued", 3, str(scan_id))
    await ready.work()
    [job] = (await ready.api.call("GET", JOBS))["jobs"]
    assert (job["mode"], job["created_by"], job["basis"]) == ("auto", "rule:auto-enrich", "legitimate_interest")
    assert job["found_count"] == 3
    await scanned(ready)
    await run(ready)
    assert (await last_run(ready))["outcome"] == "nothing_new"
    assert (await ready.clay())["items"] == 3


async def test_the_score_decides_and_jobs_have_50_leads(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=0, settings={"budget": BUDGET}) as app:
        host = app.api.host
        for number in range(60):
            await host.lead(app.api.project_id, full_name=f"Lead {number}", company="Acme", score=40 + number)
        await rule(app, min_score=45)
        await scanned(app)
        await run(app)
        found = await last_run(app)
        assert (found["lead_count"], len(found["job_ids"])) == (55, 2)
        counts = [(await app.job(each))["lead_count"] for each in found["job_ids"]]
        assert counts == [50, 5]


async def test_outside_the_window_a_run_waits(ready: Enriching) -> None:
    await rule(ready, from_hour=22, to_hour=6)
    await scanned(ready)
    assert await run(ready) == 1
    assert (await last_run(ready))["outcome"] is None
    assert await run(ready, NOON.replace(hour=22)) == 0, "it is looked at again after some minutes"
    await ready.api.installation.fetch("UPDATE clay.auto_enrich_runs SET due_at = now()")
    await run(ready, NOON.replace(hour=22))
    assert (await last_run(ready))["outcome"] == "queued"


async def test_a_rule_needs_a_budget_and_stops_when_credits_are_used_up(ready: Enriching) -> None:
    await ready.save(budget=None)
    assert (await rule(ready, status=422))["code"] == "budget_required"
    await ready.save(budget=BUDGET)
    await rule(ready)
    await ready.plan(credits=0)
    await scanned(ready)
    await run(ready)
    await ready.work()
    await scanned(ready)
    await run(ready)
    assert (await last_run(ready))["outcome"] == "paused"
    config = "/api/clay/enrichment/config"
    assert (await ready.api.call("GET", config))["rules_paused"]["cause"] == "insufficient_credits"
    assert await ready.api.call("POST", "/api/clay/enrichment/resume-rules") == {"resumed": True}
    assert (await ready.api.call("GET", config))["rules_paused"] is None


async def test_stale_leads_are_enriched_again_at_most_once_a_day(ready: Enriching) -> None:
    await ready.enrich()
    await ready.work()
    await rule(ready, stale_months=6)
    await run(ready)
    assert (await last_run(ready))["outcome"] == "nothing_new"
    await ready.api.installation.fetch("""
        UPDATE clay.enrichment_items SET finished_at = finished_at - interval '7 months'""")
    await run(ready)
    assert (await last_run(ready))["outcome"] == "nothing_new", "once a day"
    await ready.api.installation.fetch("UPDATE clay.auto_enrich_runs SET created_at = now() - interval '25 hours'")
    await run(ready)
    found = await last_run(ready)
    assert (found["outcome"], found["reason"], found["lead_count"]) == ("queued", "stale", 3)
    assert (await ready.job(found["job_ids"][0]))["mode"] == "stale"


async def test_a_stale_lead_whose_last_request_may_have_been_charged_is_not_requested_by_a_rule(
    ready: Enriching,
) -> None:
    """The run would repeat it every day, because `again` includes leads whose last run got no response."""
    await ready.enrich()
    await ready.work()
    await ready.api.installation.fetch(
        "UPDATE clay.enrichment_items SET finished_at = finished_at - interval '7 months'"
    )
    await ready.plan(faults={"run": {"rules": [{"kind": "reset_after", "next": 1}]}})
    lost = await ready.enrich(ready.lead_ids[:1], again=True)
    await ready.start()
    await ready.expire_deadlines(hours=25)
    await ready.sweep()
    assert await ready.outcomes(lost["job_id"]) == {("expired", "held"): 1}
    await rule(ready, stale_months=6)
    await run(ready)
    found = await last_run(ready)
    assert (found["reason"], found["lead_count"]) == ("stale", 2)
    requested = {item["lead_id"] for each in found["job_ids"] for item in await ready.items(each)}
    assert requested == {str(each) for each in ready.lead_ids[1:]}


async def test_a_run_that_raises_an_error_does_not_stop_the_other_rules(ready: Enriching) -> None:
    """A time zone that a new version of the time-zone database no longer contains raises an error that is not a refusal."""
    host = ready.api.host
    other = await host.project(ready.api.org_id)
    await rule(ready, from_hour=22, to_hour=6)
    await scanned(ready)
    await ready.api.call("PUT", f"/api/clay/projects/{other}/auto-enrich", ON)
    async with ready.api.database.transaction() as connection:
        await queue_scan_run(connection, ready.api.org_id, other, uuid4())
    await ready.api.installation.fetch("UPDATE clay.enrichment_settings SET time_zone = 'Mars/Olympus'")
    await run(ready)
    [done] = (await ready.api.call("GET", f"/api/clay/projects/{other}/auto-enrich"))["runs"]
    assert done["outcome"] == "nothing_new"
    assert (await last_run(ready))["outcome"] is None, "it is repeated later"
    await ready.api.installation.fetch("UPDATE clay.enrichment_settings SET time_zone = 'UTC'")
    await ready.api.installation.fetch("UPDATE clay.auto_enrich_runs SET due_at = now() WHERE done_at IS NULL")
    await run(ready, NOON.replace(hour=23))
    assert (await last_run(ready))["outcome"] == "queued"
