"""A job by the way `table`: a push whose deliveries are linked to the items. Results settle the items."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from clay_push_service.enrichment.inbound.applier import ResultApplier
from tests.enrichment.conftest import CONFIG
from tests.enrichment.jobs.enriching import JOBS, Enriching, enriching
from tests.support.sandbox import Json


@dataclass
class ByTable:
    ready: Enriching
    path: str
    token: str

    async def request(self, kind: str = "email") -> str:
        """A job whose rows are in the table. Returns its id."""
        job = await self.ready.enrich(kind=kind, way="table")
        await self.ready.api.drain()
        return str(job["job_id"])

    async def send(self, body: Mapping[str, object]) -> Any:
        answer = await self.ready.api.http.post(self.path, json=body, headers={"X-Clay-Push-Token": self.token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def apply(self) -> None:
        app = self.ready.api
        await ResultApplier(app.database, app.app.state.host, app.app.state.box).run_pass()


@pytest.fixture
async def table(database_url: str, tmp_path: Path) -> AsyncIterator[ByTable]:
    async with enriching(database_url, tmp_path, leads=3) as app:
        body = {"webhook_url": app.sandbox.webhook_url(), "table_name": "Leads", "rate_limit_ms": 0}
        await app.api.call("PUT", "/api/clay/config", body)
        token = await app.api.call("POST", "/api/clay/results-tokens", status=201)
        yield ByTable(app, token["path"], token["token"])


async def test_a_row_that_calls_back_ends_its_item(table: ByTable) -> None:
    ready = table.ready
    job_id = await table.request(kind="full")
    items = await ready.items(job_id)
    assert [each["state"] for each in items] == ["requested"] * 3
    rows = await ready.sandbox.rows()
    assert {row["delivery_id"] for row in rows} == {each["delivery_id"] for each in items}
    first, second, third = items
    await table.send({"Delivery_Id": first["delivery_id"], "Email": "a@example.com", "Job Title": "CTO"})
    await table.send({"item_id": second["item_id"], "email": "b@example.com", "phone": ""})
    await table.send({"delivery_id": third["delivery_id"], "email": ""})
    await table.send({"delivery_id": third["delivery_id"], "email": ""})
    await table.apply()
    ended = {each["item_id"]: each for each in await ready.items(job_id)}
    assert (ended[first["item_id"]]["outcome"], ended[first["item_id"]]["found"]) == ("found", ["email", "job_title"])
    assert (ended[second["item_id"]]["outcome"], ended[second["item_id"]]["not_found"]) == ("partial", ["phone"])
    assert (ended[third["item_id"]]["outcome"], ended[third["item_id"]]["cause"]) == ("nothing", "no_data")
    assert (await ready.job(job_id))["status"] == "completed"
    assert await ready.value(first["lead_id"]) == "a@example.com"
    assert (ended[first["item_id"]]["credits"], ended[first["item_id"]]["actions"]) == (10, 2)
    await ready.check_totals()


async def test_rows_that_are_in_the_table_are_sent_again_because_the_request_is_explicit(table: ByTable) -> None:
    ready = table.ready
    await ready.api.push_and_drain()
    job_id = await table.request()
    assert [each["state"] for each in await ready.items(job_id)] == ["requested"] * 3
    assert (await ready.sandbox.counts())["rows"] == 6


async def test_a_row_that_never_calls_back_ends_with_the_likely_reasons(table: ByTable) -> None:
    ready = table.ready
    job_id = await table.request()
    await ready.expire_deadlines(minutes=119)
    await ready.sweep()
    assert (await ready.job(job_id))["pending_count"] == 3
    await ready.expire_deadlines(minutes=2)
    await ready.sweep()
    assert await ready.outcomes(job_id) == {("expired", "no_answer"): 3}
    item = (await ready.items(job_id))[0]
    for reason in ("condition", "required input", "credits", "auto-run", "full"):
        assert reason in item["remedy"]
    assert (await ready.job(job_id))["status"] == "failed"
    await table.send({"delivery_id": item["delivery_id"], "email": "late@example.com"})
    await table.apply()
    assert (await ready.outcomes(job_id))[("found", None)] == 1, "a late result counts"
    assert (await ready.job(job_id))["status"] == "completed"
    await ready.check_totals()


async def test_a_row_that_was_not_sent_ends_its_item_without_costs(table: ByTable) -> None:
    ready = table.ready
    rule: dict[str, Json] = {"kind": "status", "status": 400}
    await ready.sandbox.faults(rule)
    job_id = await table.request()
    await ready.sweep()
    assert await ready.outcomes(job_id) == {("failed", "not_pushed"): 3}
    assert (await ready.job(job_id))["spent"] == {"credits": 0, "actions": 0}


async def test_results_that_name_foreign_or_unknown_ids_change_nothing(table: ByTable) -> None:
    ready = table.ready
    job_id = await table.request()
    for body in ({"delivery_id": str(uuid4())}, {"item_id": str(uuid4())}, {"item_id": job_id}):
        await table.send(body | {"email": "x@example.com"})
    await table.apply()
    assert [each["state"] for each in await ready.items(job_id)] == ["requested"] * 3
    assert await ready.api.installation.fetch("SELECT 1 FROM clay.enriched_values") == []


async def test_cancelling_stops_the_rows_that_were_not_sent(table: ByTable) -> None:
    ready = table.ready
    job = await ready.enrich(way="table")
    answer = await ready.api.call("POST", f"{JOBS}/{job['job_id']}/cancel", who="member")
    assert (answer["cancelled_count"], answer["requested_count"]) == (3, 0)
    await ready.api.drain()
    assert (await ready.sandbox.counts())["rows"] == 0
    assert (await ready.job(job["job_id"]))["status"] == "cancelled"


async def test_a_held_run_is_settled_by_a_result_of_the_table(table: ByTable) -> None:
    ready = table.ready
    await ready.plan(faults={"run": {"rules": [{"kind": "reset_after", "next": 1}]}})
    job = await ready.enrich()
    await ready.start()
    [item, *_] = await ready.items(job["job_id"])
    assert item["state"] == "held"
    await table.send({"item_id": item["item_id"], "email": "held@example.com"})
    await table.apply()
    assert (await ready.outcomes(job["job_id"]))[("found", None)] == 1


async def test_without_a_table_nothing_is_accepted(table: ByTable) -> None:
    ready = table.ready
    await ready.api.call("DELETE", "/api/clay/config")
    assert (await ready.enrich(way="table", status=409))["code"] == "clay_not_configured"
    assert (await ready.api.call("GET", JOBS))["jobs"] == []


async def test_the_budget_covers_rows_of_the_table_too(table: ByTable) -> None:
    ready = table.ready
    await ready.save(budget={"credits_per_day": 5, "actions_per_day": None, "time_zone": "UTC"})
    job_id = await table.request()
    outcomes = await ready.outcomes(job_id)
    assert outcomes == {(None, None): 2, ("failed", "budget_exhausted"): 1}
    assert (await ready.sandbox.counts())["rows"] == 2


async def test_the_time_for_a_row_is_a_setting_of_the_organization(table: ByTable) -> None:
    ready = table.ready
    saved = await ready.save(table_answer_minutes=30)
    assert saved["table_answer_minutes"] == 30
    assert (await ready.save(requests_per_minute=200))["table_answer_minutes"] == 30
    job_id = await table.request()
    await ready.expire_deadlines(minutes=29)
    await ready.sweep()
    assert (await ready.job(job_id))["pending_count"] == 3
    await ready.expire_deadlines(minutes=2)
    await ready.sweep()
    assert await ready.outcomes(job_id) == {("expired", "no_answer"): 3}


@pytest.mark.parametrize("minutes", [4, 1441, "30", None])
async def test_a_time_outside_of_five_minutes_to_a_day_is_refused(table: ByTable, minutes: object) -> None:
    await table.ready.api.call("PUT", CONFIG, {"table_answer_minutes": minutes}, status=422)


async def test_a_row_that_may_be_in_the_table_waits_for_its_result(table: ByTable) -> None:
    ready = table.ready
    rule: dict[str, Json] = {"kind": "reset_after"}
    await ready.sandbox.faults(rule)
    job_id = await table.request()
    await ready.sweep()
    items = await ready.items(job_id)
    assert [each["state"] for each in items] == ["requested"] * 3
    await table.send({"delivery_id": items[0]["delivery_id"], "email": "a@example.com"})
    await table.apply()
    assert (await ready.outcomes(job_id))[("found", None)] == 1
