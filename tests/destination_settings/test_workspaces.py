"""Workspaces: each has its own pace, which its destinations share."""

from uuid import uuid4

import pytest

from tests.destination_settings.config_calls import CONFIG
from tests.destination_settings.destination_calls import WORKSPACES, create, create_workspace, listed
from tests.harness.api import Api


async def paces(app: Api) -> dict[str, int]:
    found = (await app.get(WORKSPACES, "member")).json()["workspaces"]
    return {each["name"]: each["rate_limit_ms"] for each in found}


async def test_paces_of_two_workspaces_are_independent(app: Api) -> None:
    sales = await create_workspace(app, "Sales", 500)
    await create(app, "B", workspace_id=str(sales))
    answer = await app.put(f"{WORKSPACES}/{sales}", "admin", {"rate_limit_ms": 100, "name": "Sales, Europe"})
    assert (answer.json()["rate_limit_ms"], answer.json()["destination_count"]) == (100, 1)
    assert await paces(app) == {"Default": 200, "Sales, Europe": 100}
    await app.put(CONFIG, "owner", {"rate_limit_ms": 300})
    assert await paces(app) == {"Default": 300, "Sales, Europe": 100}
    assert {each["name"]: each["rate_limit_ms"] for each in await listed(app)} == {"Default": 300, "B": 100}


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"name": "default"}, 409, "name_in_use", "name"),
        ({"name": "X", "rate_limit_ms": 99}, 422, "invalid_request", "rate_limit_ms"),
        ({"name": "X", "rate_limit_ms": 60_001}, 422, "invalid_request", "rate_limit_ms"),
        ({"name": "  "}, 422, "invalid_request", "name"),
    ],
)
async def test_an_invalid_workspace_is_refused_with_its_field_and_not_stored(
    app: Api, body: dict[str, object], status: int, code: str, field: str
) -> None:
    answer = await app.send("POST", WORKSPACES, "owner", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["field"].endswith(field)
    assert await paces(app) == {"Default": 200}


async def test_pace_above_clays_limit_is_refused_for_webhooks_of_clay(app: Api) -> None:
    [default] = (await app.get(WORKSPACES, "member")).json()["workspaces"]
    answer = await app.put(f"{WORKSPACES}/{default['id']}", "owner", {"rate_limit_ms": 50})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "rate_limit_ms")


async def test_unknown_workspace_is_not_found(app: Api) -> None:
    answer = await app.put(f"{WORKSPACES}/{uuid4()}", "owner", {"name": "X"})
    assert (answer.status_code, answer.json()["code"]) == (404, "workspace_not_found")


async def test_the_21st_workspace_is_refused(app: Api) -> None:
    for number in range(2, 21):
        await create_workspace(app, f"Workspace {number}")
    answer = await app.send("POST", WORKSPACES, "owner", json={"name": "Workspace 21"})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_workspaces")
