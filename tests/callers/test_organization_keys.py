"""`/api/clay/service-keys`: owners manage the keys of their organization, without scope `ops`. A revoked key is refused at once."""

from collections.abc import AsyncIterator

import pytest

from clay_push_service.callers.caller import Scope
from tests.harness.api import Api, run_api

KEYS = "/api/clay/service-keys"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api(database_url) as made:
        yield made


async def test_a_new_key_does_what_its_scopes_allow_until_it_is_revoked(api: Api) -> None:
    made = await api.call("POST", KEYS, {"name": "nightly", "scopes": ["read"]}, status=201)
    api.credentials["new"] = made["key"]
    assert (await api.get("/api/clay/status", "new")).status_code == 200
    assert (await api.put("/api/clay/config", "new", {"table_name": "x"})).status_code == 403
    [listed] = (await api.call("GET", KEYS))["keys"]
    assert (listed["prefix"], listed["scopes"], listed["is_shared"]) == (made["view"]["prefix"], ["read"], False)
    assert made["key"] not in (await api.get(KEYS, "owner")).text
    assert (await api.send("DELETE", f"{KEYS}/{listed['id']}", "owner")).status_code == 204
    assert (await api.get("/api/clay/status", "new")).status_code == 401
    assert (await api.send("DELETE", f"{KEYS}/{listed['id']}", "owner")).status_code == 404
    actions = [entry["action"] for entry in (await api.call("GET", "/api/clay/audit"))["entries"]]
    assert actions[:2] == ["api_key.revoked", "api_key.created"]


async def test_only_owners_manage_keys_and_keys_cannot(api: Api) -> None:
    key = await api.key(*Scope)
    for who in ("member", "admin", key):
        assert (await api.get(KEYS, who)).json()["code"] == "role_required", who
        answer = await api.send("POST", KEYS, who, json={"name": "x", "scopes": ["read"]})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_required"), who


async def test_no_key_gets_the_scope_of_operations(api: Api) -> None:
    refused = await api.call("POST", KEYS, {"name": "x", "scopes": ["read", "ops"]}, status=422)
    assert "ops" in refused["detail"]
    await api.call("POST", KEYS, {"name": "x", "scopes": []}, status=422)
    assert (await api.call("GET", KEYS))["keys"] == []


async def test_an_owner_cannot_revoke_a_key_of_several_organizations(api: Api) -> None:
    await api.key(Scope.READ, orgs=[api.org_id, api.other_org_id])
    await api.key(Scope.READ, orgs=[api.other_org_id], name="theirs")
    [shared] = (await api.call("GET", KEYS))["keys"]
    assert shared["is_shared"]
    assert (await api.send("DELETE", f"{KEYS}/{shared['id']}", "owner")).json()["code"] == "api_key_not_found"
