"""The sandbox's public API: runs in the admin API, rate limit, counters, and the same results with the same seed."""

import httpx
import pytest

from tests.support.sandbox import Json, SandboxProcess

HEADERS = {"clay-api-key": "any"}
ITEM: dict[str, Json] = {"id": "i-1", "inputs": {"Full Name": "Ada Lovelace"}}


async def start(sandbox: SandboxProcess, *items: Json, routine: str = "full") -> httpx.Response:
    path = f"/public/v0/routines/{routine}/run"
    return await sandbox.admin.post(path, json={"items": items}, headers=HEADERS)


async def results(sandbox: SandboxProcess, run_id: str) -> list[dict[str, Json]]:
    response = await sandbox.admin.get(f"/public/v0/routines/run/{run_id}/results", headers=HEADERS)
    found: list[dict[str, Json]] = response.json()["data"]
    return found


async def plan(sandbox: SandboxProcess, **fields: Json) -> None:
    response = await sandbox.admin.put("/sandbox/api", json=fields)
    assert response.is_success, response.text


async def test_the_admin_api_shows_runs_items_and_costs(sandbox: SandboxProcess) -> None:
    await plan(sandbox, credits=20)
    started = await start(sandbox, ITEM, {"id": "i-2", "inputs": {}})
    assert started.status_code == 202
    assert (await start(sandbox, ITEM, routine="email")).status_code == 202
    state = (await sandbox.admin.get("/sandbox/api")).json()
    assert (state["runs"], state["items"], state["repeated_items"]) == (2, 3, 1)
    assert (state["charged"], state["credits_left"]) == (15, 5)
    runs = (await sandbox.admin.get("/sandbox/api/runs")).json()["runs"]
    assert [run["routine"] for run in runs] == ["email", "full"]
    assert runs[1]["id"] == started.json()["routine_run_id"]
    assert runs[1]["items"] == [ITEM, {"id": "i-2", "inputs": {}}]
    assert (await start(sandbox, ITEM)).status_code == 402


async def test_more_requests_than_the_rate_per_minute_get_429(sandbox: SandboxProcess) -> None:
    await plan(sandbox, per_minute=1)  # the next request is accepted after 60 s
    statuses = [(await sandbox.admin.get("/public/v0/me", headers=HEADERS)).status_code for _ in range(3)]
    assert statuses == [200, 429, 429]


async def test_a_request_without_a_key_gets_401(sandbox: SandboxProcess) -> None:
    assert (await sandbox.admin.get("/public/v0/me")).status_code == 401


@pytest.mark.parametrize(
    "items", [[], [ITEM] * 101, [{"id": "", "inputs": {}}], [{"id": "x" * 65, "inputs": {}}], [{"id": "i"}], ["i"]]
)
async def test_invalid_items_get_400(sandbox: SandboxProcess, items: list[Json]) -> None:
    assert (await start(sandbox, *items)).status_code == 400


async def test_outcomes_are_the_same_with_the_same_seed(sandbox: SandboxProcess) -> None:
    items: list[Json] = [{"id": f"i-{number}", "inputs": {}} for number in range(50)]
    deviations: dict[str, Json] = {"seed": 7, "missing_items": 0.2, "failed": 0.2, "empty": 0.2, "unknown_status": 0.1}
    await plan(sandbox, deviations=deviations)
    run_id = (await start(sandbox, *items)).json()["routine_run_id"]
    first = await results(sandbox, run_id)
    assert await results(sandbox, run_id) == first
    assert {each["status"] for each in first} == {"complete", "failed", "queued_by_provider"}
    assert len(first) < 50
    await plan(sandbox, deviations={**deviations, "seed": 8})
    assert await results(sandbox, run_id) != first


async def test_a_stopped_run_stays_in_progress(sandbox: SandboxProcess) -> None:
    await plan(sandbox, deviations={"never_complete": True})
    run_id = (await start(sandbox, ITEM)).json()["routine_run_id"]
    await sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 3600})
    response = await sandbox.admin.get(f"/public/v0/routines/run/{run_id}/results", headers=HEADERS)
    assert (response.status_code, response.json()["status"]) == (202, "in_progress")


async def test_the_default_behaviour_can_be_restored(sandbox: SandboxProcess) -> None:
    await plan(sandbox, not_enabled="all")
    assert (await start(sandbox, ITEM)).status_code == 401
    assert (await sandbox.admin.delete("/sandbox/api")).status_code == 204
    assert (await start(sandbox, ITEM)).status_code == 202


async def test_a_plan_with_an_unknown_field_is_refused(sandbox: SandboxProcess) -> None:
    assert (await sandbox.admin.put("/sandbox/api", json={"fault": {}})).status_code in {400, 422}
