"""The staged test against the sandbox: each stage with its cause and remedy, one item on request, and what is recorded."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.enrichment.settings import staged_test
from tests.enrichment.conftest import CONFIG, KEY, ROUTINE, TEST, Enrichment
from tests.harness.api import run_api
from tests.support.dump import dump
from tests.support.sandbox import Json

FAST = {"requests_per_minute": 10_000}


@pytest.fixture
async def ready(enrichment: Enrichment) -> Enrichment:
    await enrichment.save(api_key=KEY, routines={"email": ROUTINE}, **FAST)
    return enrichment


async def lead(
    enrichment: Enrichment, full_name: str | None = "Ada Lovelace", company: str | None = "Analytical Engines"
) -> str:
    project = await enrichment.app.host.project(enrichment.app.org_id)
    return str(await enrichment.app.host.lead(project, full_name=full_name, company=company))


def statuses(result: dict[str, Any]) -> list[str]:
    assert [stage["name"] for stage in result["stages"]] == ["key", "enabled", "routine", "item"]
    return [stage["status"] for stage in result["stages"]]


def stage(result: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(stage for stage in result["stages"] if stage["name"] == name)
    return found


async def test_without_an_item_the_test_costs_nothing_and_shows_the_price(ready: Enrichment) -> None:
    result = await ready.test(kind="email")
    assert statuses(result) == ["passed", "passed", "passed", "not_run"]
    assert (result["success"], result["ran_item"], result["found"]) == (True, False, [])
    assert stage(result, "item")["message"] == (
        "Not run. One lead would use an estimated 1 to 2 credits and at least 1 actions."
    )
    assert (result["estimate"]["credits"], result["estimate"]["actions"]) == (
        {"low": 1, "high": 2}, {"low": 1, "high": None},
    )  # fmt: skip
    assert result["estimate"]["notes"][0] == "An estimate: Clay reports no cost per run."
    assert (await ready.clay())["charged"] == 0
    seen = await ready.read()
    assert (seen["key_state"], seen["key_checked_at"] is not None) == ("accepted", True)


async def test_one_item_runs_on_request_and_is_audited_before_it_starts(ready: Enrichment) -> None:
    lead_id = await lead(ready)
    await ready.plan(routines={"email": {"outputs": {"Work Email": "{first}@{domain}", "Seniority": "CTO"}}})
    result = await ready.test(kind="email", run_item=True, lead_id=lead_id)
    assert statuses(result) == ["passed"] * 4
    assert (result["found"], result["unmapped_keys"], result["ran_item"]) == (["email"], ["Seniority"], True)
    state = await ready.clay()
    assert (state["items"], state["repeated_items"]) == (1, 0)
    [run] = (await ready.sandbox.admin.get("/sandbox/api/runs")).json()["runs"]
    assert run["items"][0]["inputs"] == {"Full Name": "Ada Lovelace", "Company Name": "Analytical Engines"}
    async with ready.app.database.transaction() as connection:
        rows = (await connection.execute(text("SELECT action, details FROM clay.audit_log ORDER BY id"))).all()
    assert [row.action for row in rows[1:]] == ["enrichment.test_item_started", "enrichment.tested"]
    assert rows[1].details == {"kind": "email", "lead_id": lead_id}
    assert rows[2].details["ran_item"] is True
    assert "ada@" not in await dump(ready.app.owner), "the values of a test are not stored"


@pytest.mark.parametrize(
    ("plan", "expected", "failing", "cause"),
    [
        ({"keys": ["another"]}, ["failed", "not_run", "not_run", "not_run"], "key", ApiCause.INVALID_CREDENTIALS),
        ({"not_enabled": "all"}, ["failed", "not_run", "not_run", "not_run"], "key", ApiCause.INVALID_CREDENTIALS),
        (
            {"not_enabled": "routines"},
            ["passed", "failed", "not_run", "not_run"],
            "enabled",
            ApiCause.API_NOT_ENABLED,
        ),
        ({"routines": {}}, ["passed", "passed", "failed", "not_run"], "routine", ApiCause.NOT_FOUND),
        ({"credits": 0}, ["passed", "passed", "passed", "failed"], "item", ApiCause.INSUFFICIENT_CREDITS),
        ({"deviations": {"failed": 1}}, ["passed", "passed", "passed", "failed"], "item", ApiCause.ITEM_FAILED),
        ({"deviations": {"empty": 1}}, ["passed", "passed", "passed", "unclear"], "item", ApiCause.NO_DATA),
        ({"keep_seconds": 0}, ["passed", "passed", "passed", "failed"], "item", ApiCause.EXPIRED),
        ({"routines": {"email": {"outputs": {"Other": "x"}}}}, ["passed"] * 3 + ["unclear"], "item", ApiCause.NO_DATA),
        (
            {"faults": {"me": {"rules": [{"kind": "status", "status": 503}]}}},
            ["failed", "not_run", "not_run", "not_run"],
            "key",
            ApiCause.SERVER_ERROR,
        ),
        (
            {"faults": {"me": {"rules": [{"kind": "reset_before"}]}}},
            ["failed", "not_run", "not_run", "not_run"],
            "key",
            ApiCause.NO_RESPONSE,
        ),
    ],
)
async def test_each_failure_names_its_cause_and_remedy(
    ready: Enrichment, plan: dict[str, Json], expected: list[str], failing: str, cause: ApiCause
) -> None:
    await ready.plan(**plan)
    result = await ready.test(kind="email", run_item=True, lead_id=await lead(ready))
    assert statuses(result) == expected
    found = stage(result, failing)
    assert (result["success"], found["cause"], found["message"]) == (False, cause, API_EXPLANATIONS[cause].message)
    assert found["remedy"].startswith(API_EXPLANATIONS[cause].remedy)
    refused = cause in {ApiCause.INVALID_CREDENTIALS, ApiCause.API_NOT_ENABLED}
    no_answer = cause in {ApiCause.SERVER_ERROR, ApiCause.NO_RESPONSE}
    assert (await ready.read())["key_state"] == ("refused" if refused else "untried" if no_answer else "accepted")


async def test_without_a_key_nothing_is_sent(enrichment: Enrichment) -> None:
    result = await enrichment.test(kind="full")
    assert statuses(result) == ["failed", "not_run", "not_run", "not_run"]
    found = stage(result, "key")
    assert (found["message"], found["cause"]) == ("Clay API credentials not configured", "credentials_not_configured")
    assert "Ensure there are no extra spaces or quotes." in found["remedy"]
    assert (await enrichment.clay())["requests"] == {}


async def test_a_key_that_cannot_be_unsealed_is_reported(ready: Enrichment) -> None:
    ready.app.app.state.box = SecretBox((SecretStr(generate_key()),))
    result = await ready.test()
    assert statuses(result) == ["failed", "not_run", "not_run", "not_run"]
    assert stage(result, "key")["cause"] == "key_unreadable"
    assert (await ready.clay())["requests"] == {}


async def test_without_a_routine_the_test_ends_before_it(ready: Enrichment) -> None:
    result = await ready.test(kind="full")
    assert statuses(result) == ["passed", "passed", "failed", "not_run"]
    assert stage(result, "routine")["cause"] == "routine_not_set"


async def test_the_routine_stage_is_unclear_if_clay_checks_the_items_first(ready: Enrichment) -> None:
    await ready.plan(deviations={"checks_items_first": True}, routines={})
    result = await ready.test(kind="email")
    assert statuses(result) == ["passed", "passed", "unclear", "not_run"]
    assert result["success"] is False
    result = await ready.test(kind="email", run_item=True, lead_id=await lead(ready))
    assert statuses(result) == ["passed", "passed", "unclear", "failed"]
    assert stage(result, "item")["cause"] == "not_found"


async def test_a_lead_without_the_required_values_sends_nothing(ready: Enrichment) -> None:
    result = await ready.test(kind="email", run_item=True, lead_id=await lead(ready, full_name=None, company=None))
    found = stage(result, "item")
    assert (found["status"], found["cause"]) == ("failed", "missing_input")
    assert "full_name, company_name. Nothing was sent." in found["message"]
    assert (await ready.clay())["items"] == 0


async def test_a_start_without_a_clear_response_may_be_charged_and_is_not_repeated(ready: Enrichment) -> None:
    # Two probes pass before: they are refused, so they draw no fault of an accepted start.
    await ready.plan(faults={"run": {"rules": [{"kind": "reset_after"}]}})
    result = await ready.test(kind="email", run_item=True, lead_id=await lead(ready))
    found = stage(result, "item")
    assert (found["status"], found["cause"], result["ran_item"]) == ("failed", "held", True)
    state = await ready.clay()
    assert (state["items"], state["requests"]["run"]) == (1, 3)


async def test_a_run_that_does_not_end_is_unclear(ready: Enrichment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_test, "POLL_SECONDS", (0.0, 0.0))
    await ready.plan(deviations={"never_complete": True})
    result = await ready.test(kind="email", run_item=True, lead_id=await lead(ready))
    assert (stage(result, "item")["status"], stage(result, "item")["cause"]) == ("unclear", "still_running")
    assert result["ran_item"] is True


async def test_a_lost_poll_is_repeated_and_charges_nothing_again(ready: Enrichment) -> None:
    await ready.plan(faults={"results": {"rules": [{"kind": "reset_before", "next": 1}]}})
    result = await ready.test(kind="email", run_item=True, lead_id=await lead(ready))
    assert statuses(result) == ["passed"] * 4
    assert (await ready.clay())["items"] == 1


async def test_a_lead_of_another_organization_or_an_erased_one_is_404(ready: Enrichment) -> None:
    app = ready.app
    foreign = await app.host.lead(await app.host.project(app.other_org_id), full_name="Eve", company="Other")
    erased = await lead(ready)
    response = await app.send("POST", "/api/clay/erasures", "owner", json={"lead_ids": [erased]})
    assert response.is_success, response.text
    for lead_id in (str(foreign), erased, str(UUID(int=7))):
        response = await app.send("POST", TEST, "owner", json={"run_item": True, "lead_id": lead_id})
        assert (response.status_code, response.json()["code"]) == (404, "lead_not_found"), lead_id
    assert (await ready.clay())["requests"] == {}


async def test_an_item_without_a_lead_is_422(ready: Enrichment) -> None:
    response = await ready.app.send("POST", TEST, "owner", json={"run_item": True})
    assert response.status_code == 422


async def test_a_429_pauses_the_organizations_requests(ready: Enrichment) -> None:
    rule: Json = {"kind": "status", "status": 429, "retry_after": "120"}
    await ready.plan(faults={"me": {"rules": [rule]}})
    result = await ready.test()
    assert (stage(result, "key")["message"], stage(result, "key")["cause"]) == ("Rate limit", "rate_limited")
    response = await ready.app.send("POST", TEST, "owner", json={})
    assert (response.status_code, response.json()["code"]) == (429, "pace_busy")
    assert 100 <= int(response.headers["retry-after"]) <= 121
    assert (await ready.clay())["requests"]["me"] == 1


async def test_an_address_that_the_guard_refuses_is_a_failed_stage(database_url: str) -> None:
    async with run_api(database_url, clay_api_url="https://api.clay.com.evil.example/public/v0") as app:
        assert (await app.put(CONFIG, "owner", {"api_key": KEY, **FAST})).status_code == 200
        result = (await app.send("POST", TEST, "owner", json={})).json()
        assert stage(result, "key")["cause"] == "blocked"
        assert app.resolver.lookups == []


async def test_a_lead_without_run_item_starts_nothing(ready: Enrichment) -> None:
    result = await ready.test(kind="email", run_item=False, lead_id=await lead(ready))
    assert statuses(result) == ["passed", "passed", "passed", "not_run"]
    assert (await ready.clay())["items"] == 0
