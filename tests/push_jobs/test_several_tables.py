"""What an organization reads about several Clay tables: status and outcomes by day of each, and the mapping that a job was sent with."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import add_table
from tests.support.receiver import status

DAILY = "/api/clay/activity/daily"
STATUS = "/api/clay/status"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url) as made:
        yield made


async def tables(api: Api) -> dict[str, Any]:
    return {each["name"]: each for each in (await api.call("GET", STATUS, who="member"))["destinations"]}


async def test_status_shows_each_table_and_goes_on_to_describe_the_default_one(api: Api) -> None:
    second = await add_table(api, "second")
    await api.push_and_drain(api.lead_ids[:1])
    api.receiver.answer = lambda number, _: status(422 if number == 1 else 200)
    await api.push_and_drain(destination_id=second)
    waiting = await api.push(api.lead_ids[1:])
    found = await api.call("GET", STATUS)
    assert (found["quota"]["used"], found["totals"]["pushed"], found["totals"]["failed"]) == (1, 3, 1)
    assert (found["active_jobs"], found["last_push"]["job_id"]) == (1, waiting["job_id"])
    of_each = await tables(api)
    assert list(of_each) == ["Default", "second"]
    counted = {
        name: (each["is_default"], each["state"], each["quota"]["used"], each["totals"]["pushed"], each["totals"]["failed"],
               each["active_jobs"])
        for name, each in of_each.items()
    }  # fmt: skip
    assert counted == {"Default": (True, "open", 1, 1, 0, 1), "second": (False, "open", 2, 2, 1, 0)}
    assert of_each["second"]["totals"]["success_rate"] == pytest.approx(2 / 3, abs=1e-3)
    assert of_each["Default"]["last_push_at"] == found["last_push"]["created_at"]


async def test_a_table_that_is_nearly_full_is_warned_of_beside_the_default_one(api: Api) -> None:
    second = await add_table(api, "second")
    await api.call("PUT", f"/api/clay/destinations/{second}", {"quota_used": 41_000})
    found = await api.call("GET", STATUS)
    assert found["quota"]["warning"] is None
    of_each = await tables(api)
    assert of_each["Default"]["quota"]["warning"] is None
    assert "Over 80 %" in of_each["second"]["quota"]["warning"]
    shown = await api.call("GET", f"/api/clay/destinations/{second}")
    assert shown["warnings"][-1] == of_each["second"]["quota"]["warning"]


async def test_status_shows_a_table_without_webhook_and_no_archived_one(api: Api) -> None:
    second, third = await add_table(api, "second"), await add_table(api, "third")
    await api.push_and_drain(destination_id=third)
    await api.call("DELETE", "/api/clay/config")
    await api.call("DELETE", f"/api/clay/destinations/{third}")
    of_each = await tables(api)
    assert list(of_each) == ["Default", "second"]
    assert (of_each["Default"]["configured"], of_each["Default"]["state"], of_each["Default"]["quota"]) == (
        False, None, None,
    )  # fmt: skip
    assert of_each["second"]["id"] == second
    assert (await api.call("GET", STATUS))["totals"]["pushed"] == 3, "history of the archived table counts"


async def test_outcomes_by_day_of_one_table(api: Api) -> None:
    second = await add_table(api, "second")
    await api.push_and_drain(api.lead_ids[:1])
    await api.push_and_drain(destination_id=second)
    every = await api.call("GET", DAILY)
    assert (every["days"][-1]["jobs"], every["days"][-1]["success"], every["quota"]["used"]) == (2, 4, 1)
    one = await api.call("GET", f"{DAILY}?destination_id={second}")
    assert (one["days"][-1]["jobs"], one["days"][-1]["success"]) == (1, 3)
    assert (one["quota"]["used"], one["quota"]["per_day"]) == (3, 3.0)
    unknown = await api.call("GET", f"{DAILY}?destination_id={uuid4()}", status=404)
    assert unknown["code"] == "destination_not_found"


async def test_a_job_shows_the_version_that_it_was_accepted_with(api: Api) -> None:
    columns = [{"key": "Name", "field": "full_name"}]
    standard = await api.push_and_drain(api.lead_ids[:1])
    assert standard["mapping"] is None
    made = await api.call("POST", "/api/clay/mappings", {"name": "Outbound", "columns": columns})
    [default] = (await api.call("GET", "/api/clay/destinations"))["destinations"]
    await api.call("PUT", f"/api/clay/destinations/{default['id']}", {"mapping_id": made["id"]})
    api.receiver.answer = lambda _number, _body: status(422)
    job = await api.push_and_drain(api.lead_ids[1:])
    expected = {"id": made["id"], "name": "Outbound", "version": 1, "version_id": made["version_id"]}
    assert job["mapping"] == expected
    changed = {"name": "Cold outbound", "columns": [*columns, {"key": "Bio", "field": "bio"}]}
    await api.call("PUT", f"/api/clay/mappings/{made['id']}", changed)
    listed = (await api.call("GET", "/api/clay/jobs"))["jobs"]
    assert [each["mapping"] for each in listed] == [expected | {"name": "Cold outbound"}, None]
    retried = await api.call("POST", f"/api/clay/jobs/{job['id']}/retry", {"causes": ["rejected"]})
    assert (await api.job(retried["job_id"]))["mapping"] == expected | {"name": "Cold outbound"}
