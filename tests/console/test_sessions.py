"""Sessions: signing in with a token or a key, when a session ends, and organizations."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from clay_push_service.callers.caller import Scope
from tests.harness.api import Api
from tests.harness.settings import access_token
from tests.harness.visitor import Visitor, visiting

SESSION = "clay_console"


async def test_without_a_session_each_page_is_the_sign_in_page_and_leads_back_to_it(api: Api) -> None:
    async with visiting(api, None) as visitor:
        page = await visitor.open("/console/jobs?status=failed")
        assert page.status_code == 401
        assert 'name="next" value="/console/jobs?status=failed"' in page.text
        signed_in = await visitor.submit(
            "/console/session", {"credential": access_token("owner"), "next": "/console/jobs?status=failed"}
        )
        assert signed_in.headers["location"] == "/console/jobs?status=failed"
        assert (await visitor.open("/console/jobs?status=failed")).status_code == 200


async def test_cookie_is_for_this_console_only_and_its_secret_is_not_stored(api: Api) -> None:
    async with visiting(api, None) as visitor:
        answer = await visitor.sign_in(access_token("owner"))
        [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{SESSION}=")]
        for part in ("HttpOnly", "SameSite=strict", "Path=/console/"):
            assert part in cookie
        assert "Secure" not in cookie  # this test uses plain http
        secret = visitor.http.cookies[SESSION]
        [row] = await api.installation.fetch("SELECT console_sessions::text AS written FROM clay.console_sessions")
        assert secret not in row.written
        await visitor.open("/console/sign-in")
        over_https = await visitor.http.post(
            "/console/session", content="", headers={"X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"}
        )
        assert over_https.status_code == 415


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        ("", "Enter a service key or an access token."),
        ("cps_none", "The service key is invalid or revoked."),
        ("x.y.z", "The access token is not valid."),
    ],
)
async def test_a_refused_credential_shows_the_reason_on_the_sign_in_page(
    api: Api, credential: str, reason: str
) -> None:
    async with visiting(api, None) as visitor:
        answer = await visitor.sign_in(credential)
        assert answer.status_code in {401, 422}
        assert reason in answer.text
        assert SESSION not in visitor.http.cookies


async def test_next_page_is_never_another_site(api: Api) -> None:
    for given in (
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/console//elsewhere.example",
        "/console/\\x",
        "/api/",
    ):
        async with visiting(api, None) as visitor:
            await visitor.open("/console/sign-in")
            answer = await visitor.submit("/console/session", {"credential": access_token("owner"), "next": given})
            assert answer.headers["location"] == "/console/", given


async def test_session_ends_with_its_token(api: Api) -> None:
    async with visiting(api, None) as visitor:
        await visitor.sign_in(access_token("owner", exp=int(time.time()) + 600))
        [row] = await api.installation.fetch("SELECT expires_at FROM clay.console_sessions")
        assert abs((row.expires_at - datetime.now(UTC)).total_seconds() - 600) < 60
        assert (await visitor.open("/console/jobs")).status_code == 200
        await api.installation.fetch("UPDATE clay.console_sessions SET expires_at = now()")
        assert (await visitor.open("/console/jobs")).status_code == 401


async def test_session_of_a_removed_member_ends_permanently_at_the_next_request(api: Api, owner: Visitor) -> None:
    assert (await owner.open("/console/jobs")).status_code == 200
    connection = api.host.connection
    membership = "WHERE user_id = (SELECT id FROM users WHERE username = 'owner')"
    await connection.execute(f"UPDATE org_members SET org_id = $1 {membership}", api.other_org_id)
    secret = owner.http.cookies[SESSION]
    page = await owner.open("/console/jobs")
    assert page.status_code == 401
    assert "your access to this organization has ended" in page.text
    assert SESSION not in owner.http.cookies
    await connection.execute(f"UPDATE org_members SET org_id = $1 {membership}", api.org_id)
    owner.http.cookies.set(SESSION, secret, path="/console/")
    assert (await owner.open("/console/jobs")).status_code == 401, (
        "a new membership must not make the session valid again"
    )


async def test_session_belongs_to_a_user_not_to_a_user_name(api: Api, owner: Visitor) -> None:
    connection = api.host.connection
    await connection.execute("UPDATE users SET username = 'renamed' WHERE username = 'owner'")
    await connection.execute("UPDATE users SET username = 'owner' WHERE username = 'admin'")
    assert (await owner.open("/console/jobs")).status_code == 401


async def test_session_of_a_key_has_its_scopes_and_ends_with_it(api: Api) -> None:
    key = await api.key(Scope.READ)
    job_id = await api.queue()
    async with visiting(api, key) as visitor:
        assert "key" in (await visitor.open(f"/console/jobs/{job_id}")).text
        refused = await visitor.submit(f"/console/jobs/{job_id}/cancel")
        assert refused.status_code == 403
        assert "lacks the scope push" in refused.text
        await api.installation.fetch("UPDATE clay.api_keys SET revoked_at = now()")
        assert (await visitor.open("/console/jobs")).status_code == 401


async def test_sign_out_ends_the_session_in_every_copy_of_the_cookie(owner: Visitor) -> None:
    await owner.open("/console/jobs")
    secret = owner.http.cookies[SESSION]
    answer = await owner.submit("/console/sign-out")
    assert answer.headers["location"] == "/console/sign-in"
    assert SESSION not in owner.http.cookies
    owner.http.cookies.set(SESSION, secret, path="/console/")
    assert (await owner.open("/console/jobs")).status_code == 401


async def test_a_member_of_two_organizations_changes_between_them(api: Api) -> None:
    job_id = await api.queue()
    async with visiting(api, "both", api.other_org_id) as visitor:
        assert (await visitor.open(f"/console/jobs/{job_id}")).status_code == 404
        await visitor.open("/console/jobs")
        changed = await visitor.submit_and_follow("/console/organization", {"org_id": str(api.org_id)})
        assert changed.status_code == 200
        assert (await visitor.open(f"/console/jobs/{job_id}")).status_code == 200
        rows = await api.installation.fetch("SELECT ended_at FROM clay.console_sessions")
        assert sum(row.ended_at is None for row in rows) == 1


async def test_an_organization_without_membership_cannot_be_opened(api: Api, owner: Visitor) -> None:
    for org_id in (api.other_org_id, uuid4()):
        await owner.open("/console/jobs")
        assert (await owner.submit("/console/organization", {"org_id": str(org_id)})).status_code == 403
    async with visiting(api, None) as visitor:
        assert (await visitor.sign_in(access_token("owner"), api.other_org_id)).status_code == 403
