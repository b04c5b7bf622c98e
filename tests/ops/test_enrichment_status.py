"""/status shows enrichment: key states, budgets, held runs, stored results, paused rules and suspect destinations."""

from typing import Any

import pytest

from clay_push_service.ops.enrichment_load import EnrichmentLoad, EnrichmentTotals, enrichment_advice
from tests.harness.api import WEBHOOK, Api
from tests.ops.instance import run, status, worker

SETTINGS = (
    "INSERT INTO clay.enrichment_settings (id, org_id, sealed_api_key, key_mask, key_source, key_state, credits_per_day)"
    " VALUES (gen_random_uuid(), :org, 'sealed', '••••wxyz', 'api', 'accepted', 100)"
)
JOB = (
    "INSERT INTO clay.enrichment_jobs (id, org_id, kind, way, mode, legal_basis, again, lead_count, credits_low, actions_low, created_by)"
    " VALUES ('00000000-0000-0000-0000-000000000001', :org, 'email', 'routine', 'batch', 'consent', false, 2, 0, 0, 'user:alice')"
)

HELD_RUN = (
    "INSERT INTO clay.enrichment_runs (id, org_id, kind, routine_id, outputs, state, started_at, expires_at) VALUES"
    " (gen_random_uuid(), :org, 'email', 'rt', '{}', 'held', now() - interval '3 min', now() + interval '1 day')"
)


def item(cost: float, started: str) -> str:
    """Add an ended item with its costs."""
    return (
        "INSERT INTO clay.enrichment_items (id, org_id, job_id, lead_id, project_id, kind, way, state, outcome, credits, actions,"
        f" cost_basis, started_at, finished_at) VALUES (gen_random_uuid(), :org, '00000000-0000-0000-0000-000000000001',"
        f" gen_random_uuid(), gen_random_uuid(), 'email', 'routine', 'done', 'found', {cost}, 1, 'estimated', {started}, now())"
    )


async def enrichment(app: Api) -> dict[str, Any]:
    found = (await status(app))["enrichment"]
    assert isinstance(found, dict)
    return found


async def test_an_instance_without_enrichment_has_zeros_and_no_advice(app: Api) -> None:
    await worker(app)
    found = await enrichment(app)
    assert (found["keys"], found["held_runs"], found["results_waiting"], found["suspect_destinations"]) == (0, 0, 0, 0)
    assert (found["oldest_held_seconds"], found["organizations"], found["suspect"]) == (None, [], [])
    assert (await status(app))["advice"] == []


@pytest.mark.parametrize(("cost", "is_listed"), [(79, False), (80, True)])
async def test_an_organization_is_listed_from_80_percent_of_its_budget_of_today(
    app: Api, *, cost: float, is_listed: bool
) -> None:
    await worker(app)
    await run(app, SETTINGS, JOB, item(cost, "now()"), item(500, "now() - interval '25 hours'"))
    listed = (await enrichment(app))["organizations"]
    assert len(listed) == is_listed
    if is_listed:
        [shown] = listed
        assert (shown["organization"], shown["key_state"], shown["rules_paused_cause"]) == ("Acme", "accepted", None)
        assert (shown["credits_used"], shown["credits_per_day"], shown["budget_percent"]) == (80, 100, 80)
        assert (shown["actions_used"], shown["actions_per_day"]) == (1, None)


@pytest.mark.parametrize(
    ("change", "count", "shown"),
    [
        ("UPDATE clay.enrichment_settings SET key_state = 'refused'", "refused_keys", {"key_state": "refused"}),
        (
            "UPDATE clay.enrichment_settings SET rules_paused_at = now(), rules_paused_cause = 'insufficient_credits'",
            "rules_paused",
            {"rules_paused_cause": "insufficient_credits"},
        ),
        (
            HELD_RUN,
            "held_runs",
            {"held_runs": 1},
        ),
    ],
)
async def test_an_organization_with_a_problem_is_counted_and_listed(
    app: Api, change: str, count: str, shown: dict[str, object]
) -> None:
    await worker(app)
    await run(app, SETTINGS)
    before = await enrichment(app)
    assert (before["keys"], before[count], before["organizations"]) == (1, 0, [])
    await run(app, change)
    after = await enrichment(app)
    [listed] = after["organizations"]
    assert after[count] == 1
    assert {name: listed[name] for name in shown} == shown


async def test_suspect_destinations_are_listed_with_an_advice(app: Api) -> None:
    await worker(app)
    await app.put("/api/clay/config", "owner", {"webhook_url": WEBHOOK, "table_name": "<b>Inbound</b>"})
    await run(app, "UPDATE clay.destinations SET suspect_since = now() - interval '2 h'")
    found = await status(app)
    enrichment = found["enrichment"]
    assert isinstance(enrichment, dict)
    [shown] = enrichment["suspect"]
    assert (enrichment["suspect_destinations"], shown["organization"], shown["table_name"]) == (
        1,
        "Acme",
        "<b>Inbound</b>",
    )
    advice = found["advice"]
    assert isinstance(advice, list)
    assert [each["what"] for each in advice] == [
        "1 destination is suspect, because results from the Clay table have stopped."
    ]
    page = await app.get("/status", headers={"Accept": "text/html"})
    assert 'aria-label="Suspect destinations"' in page.text
    assert "<b>Inbound" not in page.text


async def test_the_page_shows_the_values_of_the_json_document(app: Api) -> None:
    await worker(app)
    await run(app, SETTINGS, JOB, item(95, "now()"))
    page = await app.get("/status", headers={"Accept": "text/html"})
    assert 'aria-label="Enrichment by organization"' in page.text
    assert "95.0 of 100.0" in page.text


@pytest.mark.parametrize(("seconds", "advised"), [(None, 0), (120.0, 0), (120.1, 1)])
def test_stored_results_give_advice_after_two_minutes(seconds: float | None, advised: int) -> None:
    load = EnrichmentLoad(EnrichmentTotals(results_waiting=3, oldest_result_seconds=seconds))
    assert len(enrichment_advice(load, 0)) == advised
