"""Authentication determines the caller's organization and scopes. Other callers get a problem document."""

import base64
import json
import time
from uuid import uuid4

import httpx
import jwt
import pytest
from sqlalchemy import text

from clay_push_service.callers.api_keys import list_keys, revoke_key
from clay_push_service.callers.caller import Scope
from tests.harness.api import Api, run_api
from tests.harness.settings import JWT_SECRET, access_token

SOME_ID = "6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10"
CONFIG = "/api/clay/config"


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].endswith(problem["code"])
    assert isinstance(problem["detail"], str)
    assert problem["detail"].endswith((".", "Integrations"))
    code: str = problem["code"]
    return code


def unsigned(username: str) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": username, "exp": int(time.time()) + 600, "type": "access"}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


FORGED = {
    "no token at all": None,
    "another scheme": "Basic b3duZXI6cGFzc3dvcmQ=",
    "nothing behind Bearer": "Bearer ",
    "garbage": "Bearer not.a.token",
    "a refresh token": f"Bearer {access_token('owner', type='refresh')}",
    "no type": f"Bearer {access_token('owner', type=None)}",
    "expired": f"Bearer {access_token('owner', exp=int(time.time()) - 1)}",
    "no expiry": f"Bearer {access_token('owner', exp=None)}",
    "algorithm none": f"Bearer {unsigned('owner')}",
    "signed by another": "Bearer " + jwt.encode(
        {"sub": "owner", "exp": int(time.time()) + 600, "type": "access"}, "another secret, long enough for PyJWT", "HS256"
    ),
    "HS512 with our secret": "Bearer " + jwt.encode(
        {"sub": "owner", "exp": int(time.time()) + 600, "type": "access"}, JWT_SECRET * 2, "HS512"
    ),
    "an unknown user": f"Bearer {access_token('unknown')}",
    "no user": f"Bearer {access_token('')}",
    "an invented key": "Bearer cps_00000000_" + "A" * 43,
    "a key far too long": "Bearer cps_" + "A" * 5000,
}  # fmt: skip


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED.keys())
async def test_an_unidentified_caller_is_refused(app_client: Api, header: str | None) -> None:
    answer = await app_client.get(CONFIG, headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    code_of(answer)


async def test_a_member_of_one_organization_need_not_name_it(app_client: Api) -> None:
    assert (await app_client.get(CONFIG, "member")).status_code == 200
    assert (await app_client.get(CONFIG, "member", org=app_client.org_id)).status_code == 200


async def test_a_user_of_several_organizations_must_name_one(app_client: Api) -> None:
    answer = await app_client.get(CONFIG, "both")
    assert (answer.status_code, code_of(answer)) == (400, "organization_required")
    assert (await app_client.get(CONFIG, "both", org=app_client.other_org_id)).status_code == 200


async def test_another_organization_is_refused(app_client: Api) -> None:
    answer = await app_client.get(CONFIG, "member", org=app_client.other_org_id)
    assert (answer.status_code, code_of(answer)) == (403, "not_a_member")
    assert (await app_client.get(CONFIG, "member", org=uuid4())).status_code == 403


@pytest.mark.parametrize("header", ["nonsense", f"urn:uuid:{SOME_ID}", SOME_ID.replace("-", ""), f"{{{SOME_ID}}}"])
async def test_a_malformed_organization_id_is_reported(app_client: Api, header: str) -> None:
    answer = await app_client.get(CONFIG, "member", org=header)
    assert (answer.status_code, code_of(answer)) == (400, "organization_invalid")


async def test_a_user_without_an_organization_is_refused_with_the_reason(app_client: Api) -> None:
    await app_client.host.add("users", username="loner", email="loner@example.com", is_active=True)
    answer = await app_client.get(CONFIG, "loner")
    assert (answer.status_code, code_of(answer)) == (400, "organization_required")
    assert (await app_client.get(CONFIG, "loner", org=app_client.org_id)).status_code == 403


async def test_a_token_is_invalid_after_the_account_or_the_membership_ends(app_client: Api) -> None:
    kept = access_token("member")
    app_client.credentials["member"] = kept
    await app_client.host.connection.execute("UPDATE users SET is_active = false WHERE username = 'member'")
    answer = await app_client.get(CONFIG, "member")
    assert (answer.status_code, code_of(answer)) == (401, "inactive_user")
    await app_client.host.connection.execute("DELETE FROM org_members WHERE org_id = $1", app_client.org_id)
    assert (await app_client.get(CONFIG, "admin", org=app_client.org_id)).status_code == 403


@pytest.mark.parametrize(("who", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("both", 200)])
async def test_only_owners_and_admins_may_change_settings(app_client: Api, who: str, status: int) -> None:
    answer = await app_client.send("DELETE", CONFIG, who, org=app_client.org_id)
    assert answer.status_code == status
    if status == 403:
        assert code_of(answer) == "role_required"
        assert "owner or admin" in answer.json()["detail"]


async def test_a_role_applies_only_in_its_own_organization(app_client: Api) -> None:
    answer = await app_client.send("DELETE", CONFIG, "both", org=app_client.other_org_id)
    assert code_of(answer) == "role_required"


async def test_without_a_jwt_secret_tokens_are_refused_and_keys_are_accepted(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_api(database_url, jwt_secret=None) as app:
        answer = await app.get(CONFIG, "owner")
        assert (answer.status_code, code_of(answer)) == (401, "tokens_not_accepted")
        assert answer.json()["detail"].endswith("The NexusLeads operator must complete the setup.")
        assert "CLAY_PUSH" not in answer.text
        assert "CLAY_PUSH_JWT_SECRET" in capsys.readouterr().out
        assert (await app.get(CONFIG, await app.key(Scope.READ))).status_code == 200


async def test_a_key_works_only_for_its_organizations(app_client: Api) -> None:
    one = await app_client.key(Scope.READ)
    assert (await app_client.get(CONFIG, one)).status_code == 200
    answer = await app_client.get(CONFIG, one, org=app_client.other_org_id)
    assert (answer.status_code, code_of(answer)) == (403, "organization_forbidden")
    two = await app_client.key(Scope.READ, orgs=[app_client.org_id, app_client.other_org_id])
    assert code_of(await app_client.get(CONFIG, two)) == "organization_required"
    assert (await app_client.get(CONFIG, two, org=app_client.other_org_id)).status_code == 200
    none = await app_client.key(Scope.OPS, orgs=[])
    assert code_of(await app_client.get(CONFIG, none, org=app_client.org_id)) == "organization_forbidden"


async def test_a_key_has_only_its_scopes(app_client: Api) -> None:
    key = await app_client.key(Scope.PUSH, Scope.OPS)
    answer = await app_client.get(CONFIG, key)
    assert (answer.status_code, code_of(answer)) == (403, "scope_required")
    assert "read" in answer.json()["detail"]
    reader = await app_client.key(Scope.READ)
    assert code_of(await app_client.send("DELETE", CONFIG, reader)) == "scope_required"
    assert (await app_client.send("DELETE", CONFIG, await app_client.key(Scope.CONFIG))).status_code == 200


async def test_a_revoked_key_is_refused_immediately(app_client: Api) -> None:
    key = await app_client.key(Scope.READ)
    assert (await app_client.get(CONFIG, key)).status_code == 200
    async with app_client.database.transaction() as connection:
        await revoke_key(connection, key, "operator")
    answer = await app_client.get(CONFIG, key)
    assert (answer.status_code, code_of(answer)) == (401, "invalid_key")


async def test_a_key_is_stored_as_a_hash_and_its_use_is_recorded_once_a_minute(app_client: Api) -> None:
    key = await app_client.key(Scope.READ)
    plain = app_client.credentials[key]
    await app_client.get(CONFIG, key)
    async with app_client.database.transaction() as connection:
        stored = (await connection.execute(text("SELECT * FROM clay.api_keys"))).one()
        first = (await list_keys(connection))[0].last_used_at
        audited = (await connection.execute(text("SELECT details::text FROM clay.audit_log"))).scalars().all()
    assert plain not in str(stored)
    secret = plain.removeprefix(f"cps_{key}_")  # the key may contain "_"
    assert all(plain not in each and secret not in each for each in audited)
    assert first is not None
    await app_client.get(CONFIG, key)
    async with app_client.database.transaction() as connection:
        assert (await list_keys(connection))[0].last_used_at == first
