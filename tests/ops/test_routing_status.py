"""/status shows late and paused schedules, and routes and schedules whose Clay table takes no leads, each with advice."""

from typing import Any

import pytest

from clay_push_service.ops.routing_load import RoutingLoad, RoutingTotals, routing_advice
from tests.harness.api import WEBHOOK, Api
from tests.ops.instance import run, status, worker

SCHEDULE = (
    "INSERT INTO clay.schedules (id, org_id, project_id, destination_id, name, kind, spec, time_zone, next_due_at, next_run_at,"
    " tzdata_version, created_by, updated_by) SELECT gen_random_uuid(), org_id, gen_random_uuid(), id, '<b>Morning</b>', 'daily',"
    " jsonb_build_object('at', '09\\:00'), 'UTC', now() + interval '1 h', now() + interval '1 h', '2026f', 'x', 'x'"
    " FROM clay.destinations WHERE org_id = :org"
)
ROUTE = (
    "INSERT INTO clay.routes (id, org_id, position, destination_id, created_by)"
    " SELECT gen_random_uuid(), org_id, 2, id, 'x' FROM clay.destinations WHERE org_id = :org"
)
LATE = "UPDATE clay.schedules SET next_run_at = now() - interval '5 min'"
PAUSE = (
    "UPDATE clay.schedules SET paused_because = 'BECAUSE', paused_at = now() - interval '2 h', next_due_at = NULL,"
    " next_run_at = NULL"
)
CLOSE = "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'"


async def prepare(app: Api, *statements: str) -> None:
    await worker(app)
    await app.put("/api/clay/config", "owner", {"webhook_url": WEBHOOK, "table_name": "Inbound"})
    await run(app, *statements)


async def read(app: Api) -> tuple[dict[str, Any], list[str]]:
    found = await status(app)
    routing, advice = found["routing"], found["advice"]
    assert isinstance(routing, dict)
    assert isinstance(advice, list)
    return routing, [each["what"] for each in advice]


async def test_schedules_that_work_give_no_advice(app: Api) -> None:
    await prepare(app, SCHEDULE, ROUTE)
    routing, advice = await read(app)
    assert (routing["schedules"], routing["late_schedules"], routing["oldest_late_seconds"]) == (1, 0, None)
    assert (routing["paused"], routing["blocked"], advice) == ([], [], [])


async def test_a_schedule_that_is_due_and_not_started_is_late(app: Api) -> None:
    await prepare(app, SCHEDULE, LATE)
    routing, advice = await read(app)
    assert routing["late_schedules"] == 1
    assert 300 <= routing["oldest_late_seconds"] < 600
    [sentence] = advice
    assert sentence.startswith("1 schedule is due and not started, the oldest for 30")


@pytest.mark.parametrize(("because", "advised"), [("failures", 1), ("user", 0), ("erasure", 0)])
async def test_paused_schedules_are_listed_and_those_after_failures_advised(
    app: Api, because: str, advised: int
) -> None:
    await prepare(app, SCHEDULE, PAUSE.replace("BECAUSE", because))
    routing, advice = await read(app)
    [paused] = routing["paused"]
    assert (paused["organization"], paused["name"], paused["because"]) == ("Acme", "<b>Morning</b>", because)
    assert (routing["paused_schedules"], routing["paused_after_failures"], len(advice)) == (1, advised, advised)
    page = await app.get("/status", headers={"Accept": "text/html"})
    assert 'aria-label="Paused schedules"' in page.text
    assert "<b>Morning" not in page.text


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (CLOSE, "closed"),
        ("UPDATE clay.destinations SET version_id = NULL", "not_configured"),
        ("UPDATE clay.destinations SET archived_at = now(), is_default = false", "archived"),
    ],
)
async def test_routes_and_schedules_of_a_table_that_takes_no_leads_are_listed(
    app: Api, change: str, state: str
) -> None:
    await prepare(app, SCHEDULE, ROUTE, change)
    routing, advice = await read(app)
    assert (routing["blocked_routes"], routing["blocked_schedules"]) == (1, 1)
    assert [(each["kind"], each["position"], each["name"], each["state"]) for each in routing["blocked"]] == [
        ("route", 2, None, state), ("schedule", None, "<b>Morning</b>", state),
    ]  # fmt: skip
    assert "1 route and 1 active schedule name a Clay table that takes no leads." in advice
    page = await app.get("/status", headers={"Accept": "text/html"})
    assert 'aria-label="Routes and schedules whose table takes no leads"' in page.text


async def test_a_paused_schedule_of_a_closed_table_is_not_listed_twice(app: Api) -> None:
    await prepare(app, SCHEDULE, CLOSE, PAUSE.replace("BECAUSE", "failures"))
    routing, _ = await read(app)
    assert (routing["blocked"], len(routing["paused"])) == ([], 1)


@pytest.mark.parametrize(
    ("totals", "sentence"),
    [
        (RoutingTotals(blocked_routes=1), "1 route names a Clay table that takes no leads."),
        (RoutingTotals(blocked_routes=2), "2 routes name a Clay table that takes no leads."),
        (RoutingTotals(blocked_schedules=10), "10 active schedules name a Clay table that takes no leads."),
    ],
)
def test_the_advice_names_what_is_blocked(totals: RoutingTotals, sentence: str) -> None:
    assert [each.what for each in routing_advice(RoutingLoad(totals))] == [sentence]
