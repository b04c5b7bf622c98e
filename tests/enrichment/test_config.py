"""The enrichment settings over HTTP: the key is written and never read, versions, routines, budgets, audit, roles, the gate."""

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from clay_push_service.commands.doctor.finding import Result
from clay_push_service.commands.doctor.secret_checks import check_stored_secrets
from clay_push_service.destinations.reseal import SecretCounts, count, reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.ops.ring import check_ring
from tests.enrichment.conftest import CONFIG, INPUTS, KEY, OTHER_KEY, ROUTINE
from tests.harness.api import Api, run_api
from tests.support.dump import dump


async def save(app: Api, **fields: object) -> dict[str, Any]:
    response = await app.put(CONFIG, "owner", fields)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def refused(app: Api, **fields: object) -> list[dict[str, str]]:
    response = await app.put(CONFIG, "owner", fields)
    assert response.status_code == 422, response.text
    found: list[dict[str, str]] = response.json()["errors"]
    return found


async def audited(app: Api) -> list[tuple[str, str, dict[str, object]]]:
    async with app.database.transaction() as connection:
        rows = await connection.execute(
            text("SELECT actor, action, details FROM clay.audit_log WHERE org_id = :org_id ORDER BY id"),
            {"org_id": app.org_id},
        )
        return [(row.actor, row.action, row.details) for row in rows]


async def test_a_new_organization_has_no_settings(app_client: Api) -> None:
    seen = (await app_client.get(CONFIG, "member")).json()
    assert (seen["configured"], seen["api_key"], seen["version"], seen["changed_at"]) == (False, None, 0, None)
    assert (seen["requests_per_minute"], seen["key_state"]) == (100, "untried")
    assert seen["routines"] == {"full": None, "email": None}
    assert seen["budget"] == {"credits_per_day": None, "actions_per_day": None, "time_zone": "UTC"}


async def test_the_key_is_stored_and_never_returned(app_client: Api) -> None:
    seen = await save(app_client, api_key=KEY)
    assert (seen["api_key"], seen["key_source"], seen["key_state"], seen["configured"]) == (
        "••••abcd", "api", "untried", True,
    )  # fmt: skip
    assert (seen["version"], seen["changed_by"]) == (1, "user:owner")
    assert KEY not in (await app_client.get(CONFIG, "member")).text
    assert KEY not in await dump(app_client.owner)
    assert await audited(app_client) == [("user:owner", "enrichment.changed", {"api_key": "set", "version": 1})]


async def test_a_masked_key_sent_back_changes_nothing_and_another_one_is_refused(app_client: Api) -> None:
    seen = await save(app_client, api_key=KEY)
    assert await save(app_client, api_key=seen["api_key"]) == seen
    assert await save(app_client, api_key=KEY) == seen
    [error] = await refused(app_client, api_key="••••wxyz")
    assert error["field"] == "api_key"
    assert (await save(app_client, api_key=OTHER_KEY))["api_key"] == "••••wxyz"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (f" {KEY}", "Ensure there are no extra spaces or quotes."),
        (f"{KEY}\n", "Ensure there are no extra spaces or quotes."),
        (f'"{KEY}"', "Ensure there are no extra spaces or quotes."),
        (f"“{KEY}”", "Ensure there are no extra spaces or quotes."),
        ("", "Ensure there are no extra spaces or quotes."),
        (f"CLAY_API_KEY={KEY}", "Paste the key alone"),
        (f"Bearer {KEY}", "Paste the key alone"),
    ],
)
async def test_a_key_with_surrounding_text_is_refused_and_not_repeated(app_client: Api, key: str, reason: str) -> None:
    response = await app_client.put(CONFIG, "owner", {"api_key": key})
    assert response.status_code == 422
    assert reason in response.json()["errors"][0]["message"]
    assert KEY not in response.text
    assert (await app_client.get(CONFIG, "member")).json()["version"] == 0


async def test_omitted_fields_are_unchanged(app_client: Api) -> None:
    budget = {"credits_per_day": 200.5, "actions_per_day": 1000, "time_zone": "Europe/Berlin"}
    await save(app_client, api_key=KEY, requests_per_minute=300, budget=budget, routines={"email": ROUTINE})
    seen = await save(app_client, requests_per_minute=120)
    assert (seen["api_key"], seen["requests_per_minute"], seen["version"]) == ("••••abcd", 120, 2)
    assert seen["budget"] == budget
    assert seen["routines"]["email"] == {**ROUTINE, "credits": None, "actions": None}
    seen = await save(app_client, budget=None, routines={"email": None})
    assert seen["budget"] == {"credits_per_day": None, "actions_per_day": None, "time_zone": "UTC"}
    assert seen["routines"]["email"] is None
    assert [details for _, _, details in await audited(app_client)] == [
        {"api_key": "set", "requests_per_minute": 300, "credits_per_day": "200.5", "actions_per_day": 1000,
         "time_zone": "Europe/Berlin", "routine_email": "email", "version": 1},
        {"requests_per_minute": 120, "version": 2},
        {"credits_per_day": None, "actions_per_day": None, "time_zone": "UTC", "routine_email": None, "version": 3},
    ]  # fmt: skip


async def test_a_routine_keeps_its_maps_and_prices(app_client: Api) -> None:
    routine = {
        "routine_id": "rt_1", "inputs": INPUTS, "outputs": {"email": "Work Email", "custom.level": "Level"},
        "credits": {"low": 1.25, "high": 2}, "actions": {"low": 3, "high": 3},
    }  # fmt: skip
    seen = await save(app_client, routines={"full": routine})
    assert seen["routines"]["full"] == routine
    assert seen["routines"]["email"] is None
    assert await save(app_client, routines={"full": routine}) == seen, "the same routine is no change"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": 10_001}, "requests_per_minute"),
        ({"requests_per_minute": "300"}, "requests_per_minute"),
        ({"budget": {"credits_per_day": -1, "actions_per_day": None}}, "budget.credits_per_day"),
        ({"budget": {"credits_per_day": 1.001, "actions_per_day": None}}, "budget.credits_per_day"),
        ({"budget": {"credits_per_day": None, "actions_per_day": 1.5}}, "budget.actions_per_day"),
        ({"budget": {"credits_per_day": 1, "actions_per_day": 1, "time_zone": "Berlin"}}, "budget.time_zone"),
        ({"budget": {"credits_per_day": 1, "actions_per_day": 1, "time_zone": "../UTC"}}, "budget.time_zone"),
        ({"routines": {"email": ROUTINE | {"routine_id": "a/b"}}}, "routines.email.routine_id"),
        ({"routines": {"email": ROUTINE | {"routine_id": ".."}}}, "routines.email.routine_id"),
        ({"routines": {"email": ROUTINE | {"inputs": {}}}}, "routines.email.inputs"),
        ({"routines": {"email": ROUTINE | {"outputs": {"x": "y"}}}}, "routines.email.outputs"),
        ({"routines": {"email": ROUTINE | {"credits": {"low": 2, "high": 1}}}}, "routines.email.credits"),
        ({"routines": {"other": ROUTINE}}, "routines.other"),
        ({"key": KEY}, "key"),
    ],
)
async def test_what_is_not_valid_is_refused_and_changes_nothing(
    app_client: Api, change: dict[str, object], field: str
) -> None:
    assert [error["field"] for error in await refused(app_client, **change)] == [field]
    assert (await app_client.get(CONFIG, "member")).json()["version"] == 0


async def test_another_version_is_409(app_client: Api) -> None:
    seen = await save(app_client, requests_per_minute=200)
    assert (await save(app_client, requests_per_minute=300, version=seen["version"]))["version"] == 2
    response = await app_client.put(CONFIG, "admin", {"requests_per_minute": 1, "version": seen["version"]})
    assert (response.status_code, response.json()["code"]) == (409, "config_changed")
    assert (await app_client.get(CONFIG, "member")).json()["requests_per_minute"] == 300


async def test_removing_the_key_keeps_the_rest(app_client: Api) -> None:
    await save(app_client, api_key=KEY, routines={"email": ROUTINE}, requests_per_minute=300)
    removed = await app_client.send("DELETE", CONFIG, "owner")
    assert removed.json() == {"removed": True, "message": "The Clay API key was removed."}
    seen = (await app_client.get(CONFIG, "member")).json()
    assert (seen["configured"], seen["api_key"], seen["key_source"], seen["requests_per_minute"]) == (
        False, None, None, 300,
    )  # fmt: skip
    assert seen["routines"]["email"] is not None
    assert (await app_client.send("DELETE", CONFIG, "owner")).json()["removed"] is False
    assert [details.get("api_key") for _, _, details in await audited(app_client)] == ["set", "removed"]
    assert "••••abcd" not in await dump(app_client.owner)


async def test_members_read_and_only_owners_and_admins_change(app_client: Api) -> None:
    for method, path in (("PUT", CONFIG), ("DELETE", CONFIG), ("POST", "/api/clay/enrichment/test")):
        response = await app_client.send(method, path, "member", json={} if method != "DELETE" else None)
        assert (response.status_code, response.json()["code"]) == (403, "role_required"), path
    assert (await app_client.put(CONFIG, "admin", {"api_key": KEY})).status_code == 200
    other = (await app_client.get(CONFIG, "other_owner")).json()
    assert (other["configured"], other["version"]) == (False, 0)


async def test_the_gate_refuses_changes_and_tests_and_allows_reading_and_removing(database_url: str) -> None:
    async with run_api(database_url, billing_enabled=True) as app:
        for method, path, body in (
            ("PUT", CONFIG, {"api_key": KEY}),
            ("POST", "/api/clay/enrichment/test", {}),
            ("POST", "/api/clay/enrichment/estimate", {"kind": "email", "lead_ids": [str(app.org_id)]}),
        ):
            response = await app.send(method, path, "owner", json=body)
            assert (response.status_code, response.json()["code"]) == (403, "enterprise_required"), path
        assert (await app.get(CONFIG, "member")).status_code == 200
        assert (await app.send("DELETE", CONFIG, "owner")).status_code == 200


async def test_without_encryption_keys_nothing_is_saved(database_url: str) -> None:
    async with run_api(database_url, encryption_keys="") as app:
        response = await app.put(CONFIG, "owner", {"api_key": KEY})
        assert (response.status_code, response.json()["code"]) == (503, "encryption_keys_missing")


async def test_a_key_rotation_encrypts_api_keys_again(app_client: Api) -> None:
    await save(app_client, api_key=KEY)
    await app_client.host.add("org_settings", org_id=app_client.org_id, key="CLAY_API_KEY", value=OTHER_KEY)
    await save(app_client, requests_per_minute=300)  # finds the page's key, which waits from now on
    ring = app_client.app.state.settings.encryption_keys
    box = SecretBox((SecretStr(generate_key()), *ring))
    async with app_client.database.transaction() as connection:
        assert await count(connection, box) == SecretCounts(stored=2, due=2)
        check = await check_ring(connection, box)
        assert [(each.key_id, each.destinations) for each in check.sealed] == [(SecretBox(ring).first_key_id, 1)]
    assert (await reseal(app_client.database, box)).resealed == 2
    async with app_client.database.transaction() as connection:
        assert await count(connection, box) == SecretCounts(stored=2, due=0)
        assert {finding.result for finding in await check_stored_secrets(connection, box)} == {Result.OK}
        for table, key in (("enrichment_settings", KEY), ("pending_api_keys", OTHER_KEY)):
            row = (await connection.execute(text(f"SELECT id, org_id, sealed_api_key FROM clay.{table}"))).one()
            assert box.key_id_of(row.sealed_api_key) == box.first_key_id
            assert box.open(row.sealed_api_key, row.org_id, row.id) == key
