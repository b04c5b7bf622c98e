"""Schedules and auto-export through routes: the preview shows per Clay table what the run does, and one table does not stop the others."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from clay_push_service.callers.actor import Actor
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import PushBody
from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import add_table, placed, save_segment, send_to, set_routes, set_scores
from tests.schedules.planned import start_blocked

PATH = "/api/clay/schedules"
CLOSE = (
    "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized' WHERE destination_id = :id"
)


class Routed:
    """Five leads: scores from 80 go to `best`, from 50 to `good`, others to no table. One schedule without a destination."""

    def __init__(self, api: Api, best: str, good: str, schedule: Any) -> None:
        self.api, self.best, self.good, self.schedule = api, best, good, schedule
        self.rule = f"/api/clay/projects/{api.project_id}/auto-export"

    async def preview(self) -> Any:
        return await self.api.call("POST", f"{PATH}/{self.schedule['id']}/preview")

    async def run(self, status: int) -> Any:
        return await self.api.call("POST", f"{PATH}/{self.schedule['id']}/run", status=status)

    async def close(self, table: str) -> None:
        await self.api.installation.fetch(CLOSE, id=UUID(table))

    async def leave_quota(self, table: str, left: int) -> None:
        await self.api.installation.fetch(
            "UPDATE clay.quota_meters SET used = quota_limit - :left WHERE id IN"
            " (SELECT meter_id FROM clay.destination_versions WHERE destination_id = :id)",
            left=left, id=UUID(table),
        )  # fmt: skip


@pytest.fixture
async def routed(database_url: str) -> AsyncIterator[Routed]:
    async with run_api_with_leads(database_url, leads=5) as api:
        await set_scores(api, 95, 90, 60, 55, 10)
        best, good = await add_table(api, "best"), await add_table(api, "good")
        high, middle = await save_segment(api, "High", min_score=80), await save_segment(api, "Middle", min_score=50)
        await set_routes(api, send_to(best, high), send_to(good, middle))
        yield Routed(api, best, good, await create(api))


async def create(api: Api, **changes: object) -> Any:
    body = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "UTC", "project_id": str(api.project_id)}
    return await api.call("POST", PATH, {**body, **changes}, status=201)


def by_table(preview: Any) -> dict[str, tuple[int, int, dict[str, int]]]:
    """Table → leads to send, leads that wait, and those left out by clause."""
    return {
        each["destination"]["name"]: (
            each["to_send"], each["waiting"], {one["clause"]: one["count"] for one in each["left_out"]}
        )
        for each in preview["destinations"]
    }  # fmt: skip


def clauses(preview: Any) -> dict[str, int]:
    return {each["clause"]: each["count"] for each in preview["left_out"]}


async def test_the_preview_of_a_schedule_equals_its_run_table_by_table(routed: Routed) -> None:
    preview = await routed.preview()
    assert by_table(preview) == {"best": (2, 0, {}), "good": (2, 0, {})}
    assert (preview["outcome"], preview["to_send"], preview["lead_count"]) == ("queued", 4, 5)
    assert clauses(preview) == {"no_route": 1}
    assert {each["destination"]["name"]: each["to_send"] for each in preview["push"]["destinations"]} == {
        "best": 2,
        "good": 2,
    }
    run = await routed.run(202)
    assert (run["message"], run["lead_count"], len(run["job_ids"])) == (preview["message"], 4, 2)
    assert {each["destination"]["name"]: each["lead_count"] for each in run["destinations"]} == {"best": 2, "good": 2}
    assert await placed(routed.api) == {("0", "best"), ("1", "best"), ("2", "good"), ("3", "good")}
    await routed.api.drain()
    after = await routed.preview()
    assert (after["outcome"], after["to_send"], after["push"]) == ("nothing_new", 0, None)
    assert by_table(after) == {"best": (0, 0, {"already_in_clay": 2}), "good": (0, 0, {"already_in_clay": 2})}
    assert clauses(after) == {"already_in_clay": 4, "no_route": 1}


async def test_a_lead_that_moved_is_left_out_and_the_preview_says_so(routed: Routed) -> None:
    await routed.run(202)
    await routed.api.drain()
    await set_scores(routed.api, 95, 90, 85, 55, 10)
    preview = await routed.preview()
    assert by_table(preview)["best"] == (0, 0, {"already_in_clay": 2, "in_another_table": 1})
    assert (await routed.run(200))["outcome"] == "nothing_new"


async def test_a_closed_table_keeps_its_leads_waiting_and_the_others_get_theirs(routed: Routed) -> None:
    await routed.close(routed.good)
    preview = await routed.preview()
    assert by_table(preview) == {"best": (2, 0, {}), "good": (0, 2, {})}
    assert [each["blocked"] for each in preview["destinations"] if each["to_send"] == 0] == ["destination_closed"]
    run = await routed.run(202)
    assert (run["outcome"], run["lead_count"], run["message"]) == ("queued", 2, preview["message"])
    assert "2 leads are waiting. The Clay table “good” does not accept leads now" in run["message"]
    outcomes = {each["destination"]["name"]: each["outcome"] for each in run["destinations"]}
    assert outcomes == {"best": "queued", "good": "destination_closed"}
    assert await placed(routed.api) == {("0", "best"), ("1", "best")}
    shown = await routed.api.call("GET", f"{PATH}/{routed.schedule['id']}")
    assert shown["last_run"]["destinations"] == run["destinations"]
    await routed.api.drain()
    again = await routed.run(200)
    assert (again["outcome"], again["job_ids"]) == ("destination_closed", [])


@pytest.mark.parametrize("left", [0, 1])
async def test_a_quota_that_is_too_small_for_one_table_stops_only_that_table(routed: Routed, left: int) -> None:
    await routed.leave_quota(routed.good, left)
    preview = await routed.preview()
    assert by_table(preview) == {"best": (2, 0, {}), "good": (0, 2, {})}
    run = await routed.run(202)
    outcomes = {each["destination"]["name"]: each["outcome"] for each in run["destinations"]}
    assert outcomes == {"best": "queued", "good": "quota_exhausted"}
    assert f"the webhook's quota has {left} submissions left" in run["message"]
    assert await placed(routed.api) == {("0", "best"), ("1", "best")}


async def test_the_limit_of_a_run_takes_the_best_leads_of_all_tables(routed: Routed) -> None:
    one = f"{PATH}/{routed.schedule['id']}"
    body = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "UTC", "max_leads": 3}
    await routed.api.call("PUT", one, {**body, "project_id": str(routed.api.project_id)})
    assert by_table(await routed.preview()) == {"best": (2, 0, {}), "good": (1, 1, {})}
    assert (await routed.run(202))["lead_count"] == 3
    assert await placed(routed.api) == {("0", "best"), ("1", "best"), ("2", "good")}


async def test_leads_of_a_table_with_too_little_quota_do_not_use_up_the_limit(routed: Routed) -> None:
    one = f"{PATH}/{routed.schedule['id']}"
    body = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "UTC", "max_leads": 2}
    await routed.api.call("PUT", one, {**body, "project_id": str(routed.api.project_id)})
    await routed.leave_quota(routed.best, 1)
    assert by_table(await routed.preview()) == {"best": (0, 2, {}), "good": (2, 0, {})}
    assert (await routed.run(202))["lead_count"] == 2
    assert await placed(routed.api) == {("2", "good"), ("3", "good")}


@pytest.mark.parametrize(
    ("on_move", "sent"), [("stay", set[tuple[str, str]]()), ("follow", {("0", "best"), ("1", "best")})]
)
async def test_a_lead_of_two_tables_waits_for_the_closed_one_unless_the_route_follows(
    routed: Routed, on_move: str, sent: set[tuple[str, str]]
) -> None:
    api = routed.api
    every = await add_table(api, "every")
    high = await save_segment(api, "Top", min_score=80)
    first = {**send_to(every, high, on_move=on_move), "continue": True}
    await set_routes(api, first, send_to(routed.best, high), send_to(routed.good))
    await routed.close(every)
    preview = await routed.preview()
    assert by_table(preview)["best"] == ((2, 0, {}) if sent else (0, 2, {}))
    await routed.run(202)
    others = {("2", "good"), ("3", "good"), ("4", "good")}
    assert await placed(api) == sent | others
    await api.drain()
    await api.installation.fetch("UPDATE clay.destination_versions SET state = 'open', state_reason = NULL")
    await routed.run(202)
    assert await placed(api) == others | {("0", "every"), ("1", "every"), ("0", "best"), ("1", "best")}


async def test_changed_leads_need_one_table(routed: Routed) -> None:
    api = routed.api
    body = {"name": "Both", "kind": "daily", "at": "09:00", "time_zone": "UTC", "project_id": str(api.project_id)}
    await api.installation.fetch("UPDATE clay.destinations SET dedupe = 'none'")
    sent = {**body, "mode": "new_and_changed"}
    problem = await api.call("POST", PATH, sent, status=409)
    assert (problem["code"], problem["errors"][0]["field"]) == ("sync_mode_refused", "mode")
    assert "Set destination_id, or use mode `new`." in problem["detail"]
    await create(api, name="Named", mode="new_and_changed", destination_id=routed.good)
    await set_routes(api)
    made = await create(api, name="Both", mode="new_and_changed")
    await set_routes(api, send_to(routed.good))
    assert (await api.call("POST", f"{PATH}/{made['id']}/preview"))["message"] == problem["detail"]
    run = await api.call("POST", f"{PATH}/{made['id']}/run")
    assert (run["outcome"], run["message"]) == ("failed", problem["detail"])


async def test_auto_export_previews_and_runs_table_by_table(routed: Routed) -> None:
    api = routed.api
    await api.call("PUT", routed.rule, {"enabled": True, "min_score": 58})
    await routed.close(routed.good)
    preview = await api.call("GET", f"{routed.rule}/preview")
    assert by_table(preview) == {"best": (2, 0, {}), "good": (0, 1, {})}
    assert (preview["blocked"], preview["to_send"], clauses(preview)) == (None, 2, {"min_score": 2})
    ran = await api.call("POST", f"{routed.rule}/run", {}, status=202)
    assert ran["lead_count"] == 2
    assert "1 lead is waiting. The Clay table “good” does not accept leads now" in ran["message"]
    assert await placed(api) == {("0", "best"), ("1", "best")}
    await api.drain()
    preview = await api.call("GET", f"{routed.rule}/preview")
    assert (preview["blocked"], preview["to_send"]) == ("destination_closed", 0)
    by_lead = {each["id"]: each["left_out_by"] for each in preview["leads"]}
    names = [str(each) for each in api.lead_ids]
    assert [by_lead[each] for each in names] == ["already_in_clay", "already_in_clay", None, "min_score", "min_score"]
    assert (await api.call("POST", f"{routed.rule}/run", {}))["outcome"] == "destination_closed"


async def test_auto_export_without_quota_in_any_table_says_so_and_runs_the_scan_later(routed: Routed) -> None:
    api, scan = routed.api, {"source_job_id": "9d4f0a3e-1c52-4f0d-8a55-2f9a1d3f7b10"}
    await api.call("PUT", routed.rule, {"enabled": True})
    for table in (routed.best, routed.good):
        await routed.leave_quota(table, 1)
    assert (await api.call("POST", f"{routed.rule}/run", scan))["outcome"] == "quota_exhausted"
    for table in (routed.best, routed.good):
        await routed.leave_quota(table, 1000)
    assert (await api.call("POST", f"{routed.rule}/run", scan, status=202))["lead_count"] == 4
    assert len(await api.installation.fetch("SELECT 1 FROM clay.push_jobs WHERE source_job_id IS NOT NULL")) == 2


async def test_a_disabled_rule_and_a_missing_plan_are_the_first_reasons(routed: Routed) -> None:
    preview = await routed.api.call("GET", f"{routed.rule}/preview")
    assert (preview["blocked"], by_table(preview)) == ("off", {"best": (2, 0, {}), "good": (2, 0, {})})


@pytest.mark.parametrize(
    ("others", "status", "expected"),
    [
        (1, 202, ("queued", 3, {"best": ("queued", 1), "good": ("queued", 2)})),
        (2, 202, ("queued", 2, {"best": ("nothing_new", 0), "good": ("queued", 2)})),
        (4, 200, ("nothing_new", 0, {"best": ("nothing_new", 0), "good": ("nothing_new", 0)})),
    ],
)
async def test_a_run_through_routes_counts_the_leads_that_it_queues_beside_a_push_by_hand(
    routed: Routed, others: int, status: int, expected: object
) -> None:
    """The run waits for the push, and plans its tables when the push has committed."""
    api = routed.api
    async with api.database.transaction() as connection:
        tables = await api.installation.host_tables.tables(connection)
        pushing = PushService(connection, tables, Actor(api.org_id, "user:other"), api.app.state.settings)
        await pushing.push(PushBody(lead_ids=api.lead_ids[:others], project_id=api.project_id))
        sending = api.send("POST", f"{PATH}/{routed.schedule['id']}/run", "owner")
        running = await start_blocked(api.installation, sending)
    answer = await running
    assert answer.status_code == status, answer.text
    run: Any = answer.json()
    tables_of_run = {each["destination"]["name"]: (each["outcome"], each["lead_count"]) for each in run["destinations"]}
    assert (run["outcome"], run["lead_count"], tables_of_run) == expected
    assert run["message"].startswith(f"{run['lead_count']} leads are" if run["lead_count"] else "No new lead")
    assert len(await placed(api)) == 4
