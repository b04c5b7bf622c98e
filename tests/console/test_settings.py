"""Keys, tokens, audit log and erasure without JavaScript: secrets are shown once, and rights are those of the API."""

import re
from uuid import uuid4

from tests.harness.api import Api
from tests.harness.visitor import FORM, SAME_ORIGIN, Visitor, visiting


async def submit(visitor: Visitor, path: str, body: str) -> str:
    answer = await visitor.http.post(
        path, content=f"form_token={visitor.form_token}&{body}", headers={"Content-Type": FORM, **SAME_ORIGIN}
    )
    assert answer.is_success, answer.text
    return answer.text


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(api: Api, owner: Visitor) -> None:
    await owner.open("/console/keys")
    shown = await submit(owner, "/console/keys", "name=nightly&scope=read&scope=push&scope=ops")
    found = re.search(r"cps_[0-9a-f]{8}_[\w-]{20,}", shown)
    assert found
    api.credentials["new"] = found[0]
    page = await owner.open("/console/keys")
    assert found[0] not in page.text
    [key] = (await api.call("GET", "/api/clay/service-keys"))["keys"]
    assert key["scopes"] == ["push", "read"], "a form cannot name ops"
    assert (await api.get("/api/clay/status", "new")).status_code == 200
    await owner.submit_and_follow(f"/console/keys/{key['id']}/revoke")
    assert (await api.get("/api/clay/status", "new")).status_code == 401


async def test_a_token_is_replaced_by_creating_waiting_and_revoking(api: Api, owner: Visitor) -> None:
    await owner.open("/console/tokens")
    assert "Bearer crt_" in await submit(owner, "/console/tokens", "")
    await owner.open("/console/tokens")
    await submit(owner, "/console/tokens", "")
    page = await owner.open("/console/tokens")
    assert "Two tokens are active" in page.text
    assert "Bearer crt_" not in page.text
    page = await owner.submit_and_follow("/console/tokens")
    assert "which is the limit" in page.text
    first = (await api.call("GET", "/api/clay/results-tokens"))["tokens"][0]
    await owner.submit_and_follow(f"/console/tokens/{first['id']}/revoke")
    assert len((await api.call("GET", "/api/clay/results-tokens"))["tokens"]) == 1


async def test_an_erasure_ends_with_the_receipt_of_the_rows_in_clay(api: Api, owner: Visitor) -> None:
    await api.push_and_drain()
    await owner.open("/console/privacy")
    form = {"lead_ids": f"{api.lead_ids[0]}\n{api.lead_ids[1]}\n{api.lead_ids[1]}", "former_values": ""}
    page = await owner.submit("/console/privacy/preview", form)
    assert "Erase 2 leads?" in page.text
    assert "2 lose the lead" in page.text
    assert "without a push" not in page.text
    page = await owner.submit("/console/privacy/preview", {"lead_ids": str(uuid4()), "former_values": ""})
    assert "1 id without a push or a value here." in page.text
    page = await owner.submit_and_follow("/console/privacy/erase", form)
    assert "2 leads were erased and will not be pushed again; 2 rows were sent to Clay before." in page.text
    assert page.text.count("In Clay</span>") == 2
    await owner.open("/console/privacy")
    wrong = await owner.submit("/console/privacy/erase", {"lead_ids": "nobody"})
    assert (wrong.status_code, "is not a lead id" in wrong.text) == (422, True)


async def test_the_audit_log_shows_who_changed_what(api: Api, owner: Visitor) -> None:
    await api.call("PUT", "/api/clay/config", {"table_name": "Audited"}, who="admin")
    page = await owner.open("/console/audit")
    assert "config.changed" in page.text
    assert ">admin<" in page.text


async def test_pages_of_owners_and_admins_are_refused_to_others(api: Api) -> None:
    async with visiting(api, "admin") as admin:
        for path, code in (("keys", 403), ("privacy", 403), ("tokens", 200), ("audit", 200)):
            assert (await admin.open(f"/console/{path}")).status_code == code, path
    async with visiting(api, "member") as member:
        for path in ("keys", "privacy", "tokens", "audit"):
            assert (await member.open(f"/console/{path}")).status_code == 403, path
            assert f'href="/console/{path}"' not in (await member.open("/console/jobs")).text
