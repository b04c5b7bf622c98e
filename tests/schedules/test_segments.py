"""A schedule may push the leads of a segment: with its filters at the time of a run, and the segment stays while it is used."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from clay_push_service.privacy.erase import erase
from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import save_segment, set_scores
from tests.schedules.planned import run_once

PATH = "/api/clay/schedules"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=3) as made:
        await set_scores(made, 90, 60, 10)
        yield made


def body(api: Api, **changes: object) -> dict[str, object]:
    daily = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "Europe/Berlin"}
    return {**daily, "project_id": str(api.project_id), **changes}


async def create(api: Api, **changes: object) -> Any:
    return await api.call("POST", PATH, body(api, **changes), status=201)


async def change_segment(api: Api, segment_id: str, name: str, **filters: object) -> None:
    await api.call("PUT", f"/api/clay/segments/{segment_id}", {"name": name, "filters": filters})


async def test_a_run_pushes_the_leads_of_the_segment_as_it_is_then(api: Api) -> None:
    segment = await save_segment(api, "Best", min_score=80)
    made = await create(api, segment_id=segment)
    assert (made["segment_id"], made["segment_name"], made["filters"]["min_score"]) == (segment, "Best", None)
    preview = await api.call("POST", f"{PATH}/{made['id']}/preview")
    left_out = {each["clause"]: each["count"] for each in preview["left_out"]}
    assert (preview["to_send"], left_out, preview["push"]["to_send"]) == (1, {"filters": 2}, 1)
    run = await run_once(api.installation, UUID(made["id"]))
    assert (run.outcome, run.lead_count) == ("queued", 1)
    [job] = await api.installation.fetch("SELECT filters FROM clay.push_jobs")
    assert job.filters == {"min_score": 80.0}
    await api.drain()
    await change_segment(api, segment, "Good", min_score=50)
    assert (await api.call("GET", f"{PATH}/{made['id']}"))["segment_name"] == "Good"
    assert (await run_once(api.installation, UUID(made["id"]))).lead_count == 1
    await api.drain()
    assert set(api.receiver.leads) == {str(api.lead_ids[0]), str(api.lead_ids[1])}


async def test_filters_or_a_segment_and_not_both(api: Api) -> None:
    segment = await save_segment(api, "Best", min_score=80)
    for path in (PATH, f"{PATH}/preview"):
        sent = body(api, segment_id=segment, filters={"min_score": 3})
        problem = await api.call("POST", path, sent, status=422)
        assert [each["field"] for each in problem["errors"]] == ["segment_id"]
    assert (await api.call("GET", PATH))["schedules"] == []
    made = await create(api, filters={"min_score": 3})
    changed = await api.call("PUT", f"{PATH}/{made['id']}", body(api, segment_id=segment))
    assert (changed["segment_id"], changed["filters"]["min_score"]) == (segment, None)
    again = await api.call("PUT", f"{PATH}/{made['id']}", body(api, filters={"min_score": 5}))
    assert (again["segment_id"], again["segment_name"], again["filters"]["min_score"]) == (None, None, 5)


async def test_a_segment_of_another_organization_is_refused_with_its_place(api: Api) -> None:
    foreign = await api.call("POST", "/api/clay/segments", {"name": "Theirs", "filters": {}}, who="other_owner")
    own = await create(api)
    for method, path in (("POST", PATH), ("POST", f"{PATH}/preview"), ("PUT", f"{PATH}/{own['id']}")):
        problem = await api.call(method, path, body(api, segment_id=foreign["id"]), status=404)
        place = {"field": "segment_id", "message": "is not a segment of your organization"}
        assert (problem["code"], problem["errors"]) == ("segment_not_found", [place])
    assert (await api.call("GET", PATH))["schedules"] == [own]


async def test_a_segment_that_a_schedule_uses_cannot_be_deleted(api: Api) -> None:
    segment = await save_segment(api, "Best", min_score=80)
    made = await create(api, segment_id=segment)
    problem = await api.call("DELETE", f"/api/clay/segments/{segment}", status=409)
    used = {"kind": "schedule", "id": made["id"], "project_id": str(api.project_id), "name": "Morning"}
    assert (problem["code"], problem["uses"]) == ("segment_in_use", [used])
    assert "is used by the schedule “Morning”" in problem["detail"]
    assert (await api.call("GET", f"/api/clay/segments/{segment}"))["uses"] == [used]
    await api.call("DELETE", f"{PATH}/{made['id']}")
    assert (await api.send("DELETE", f"/api/clay/segments/{segment}", "owner")).status_code == 204


async def test_an_erasure_of_the_segment_stops_its_schedules_until_it_is_saved_again(api: Api) -> None:
    made = api.installation
    await made.fetch(
        f"UPDATE public.{made.name('leads')} SET full_name = 'Zoë Zorblatt' WHERE id = :id", id=api.lead_ids[2]
    )
    segment = await save_segment(api, "Best", search="zorblatt")
    schedule = await create(api, segment_id=segment)
    async with api.database.transaction() as connection:
        tables = await made.host_tables.tables(connection)
        await erase(connection, tables, api.org_id, "user:owner", [api.lead_ids[2]], [])
    preview = await api.call("POST", f"{PATH}/{schedule['id']}/preview")
    assert (preview["outcome"], preview["to_send"], preview["lead_count"]) == ("nothing_new", 0, 3)
    assert preview["message"].startswith("An erasure emptied the segment")
    run = await run_once(made, UUID(schedule["id"]))
    assert (run.outcome, run.message) == ("nothing_new", preview["message"])
    await change_segment(api, segment, "Best", min_score=80)
    assert (await run_once(made, UUID(schedule["id"]))).lead_count == 1


async def test_the_release_before_refuses_the_stored_filters_and_does_not_push_every_lead(api: Api) -> None:
    segment = await save_segment(api, "Best", min_score=80)
    await create(api, segment_id=segment)
    [row] = await api.installation.fetch("SELECT filters FROM clay.schedules")
    assert row.filters == {"segment": segment}


async def test_the_audit_log_names_the_segment(api: Api) -> None:
    segment = await save_segment(api, "Best", min_score=80)
    await create(api, segment_id=segment)
    [row] = await api.installation.fetch("SELECT details FROM clay.audit_log WHERE action = 'schedule.created'")
    assert row.details["segment_id"] == segment
