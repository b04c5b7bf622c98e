"""A table of the routes that takes no leads refuses a push by hand as a whole; the problem document and the page name it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.harness.api import Api, run_api_with_leads
from tests.harness.visitor import visiting
from tests.routing.routed import add_table, placed, save_segment, send_to, set_routes, set_scores

CLOSE = (
    "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized' WHERE destination_id = :id"
)


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=2) as made:
        await set_scores(made, 90, 10)
        best, others = await add_table(made, "best"), await add_table(made, "others")
        await set_routes(made, send_to(best, await save_segment(made, "High", min_score=80)), send_to(others))
        await made.installation.fetch(CLOSE, id=UUID(others))
        yield made


async def refused(api: Api, **more: object) -> Any:
    lead_ids = [str(each) for each in api.lead_ids]
    return await api.call("POST", "/api/clay/push", {"lead_ids": lead_ids, **more}, status=409)


async def test_the_problem_document_names_the_closed_table_and_says_how_to_push_the_others(api: Api) -> None:
    problem = await refused(api)
    assert (problem["code"], problem["destination"]["name"], problem["reason"]) == (
        "destination_closed", "others", "unauthorized",
    )  # fmt: skip
    assert problem["detail"].startswith(
        "Nothing was queued, because your routes send some of these leads to a Clay table"
    )
    assert "The Clay table “others” does not accept leads now" in problem["detail"]
    assert "select them alone, name a destination, or change the routes" in problem["detail"]
    assert await placed(api) == set()
    await api.push(api.lead_ids[:1])
    assert await placed(api) == {("0", "best")}


async def test_the_preview_and_the_page_name_it_too(api: Api) -> None:
    seen = await api.call("POST", "/api/clay/preview", {"lead_ids": [str(each) for each in api.lead_ids]})
    assert (seen["blocked"], seen["message"].startswith("“others”: ")) == ("destination_closed", True)
    fields = {"project_id": str(api.project_id), "back": "/console/leads", "what": "filtered"}
    async with visiting(api, "owner") as owner:
        await owner.open("/console/leads")
        page = await owner.submit("/console/leads/preview", fields)
        assert "“others”: Your Clay table does not accept leads now" in page.text


async def test_a_table_without_a_webhook_is_named(api: Api) -> None:
    await api.installation.fetch("UPDATE clay.destinations SET version_id = NULL WHERE name = 'others'")
    problem = await refused(api)
    assert (problem["code"], problem["destination"]["name"]) == ("clay_not_configured", "others")
    assert "The destination “others” has no webhook." in problem["detail"]
    body = {"lead_ids": [str(each) for each in api.lead_ids]}
    problem = await api.call("POST", "/api/clay/preview", body, status=409)
    assert "The destination “others” has no webhook." in problem["detail"]


async def test_a_table_that_refuses_changed_leads_is_named(api: Api) -> None:
    await api.installation.fetch("UPDATE clay.destination_versions SET state = 'open', state_reason = NULL")
    await api.installation.fetch("UPDATE clay.destinations SET dedupe = 'none' WHERE name <> 'others'")
    problem = await refused(api, sync_mode="new_and_changed")
    assert (problem["code"], problem["destination"]["name"]) == ("sync_mode_refused", "others")
    assert "The Clay table “others”: " in problem["detail"]
