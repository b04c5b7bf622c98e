"""The calls of NexusLeads' unmodified frontend, on both vintages."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from clay_push_service.callers.caller import Scope
from clay_push_service.host.columns import Vintage
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api, run_local_api
from tests.host_integration.frontend_calls import BASE, push, save
from tests.support.receiver import OK, Receiver, status

MASKED = "https://api.clay.com/v3/…/••••950e"


@pytest.fixture(params=list(Vintage), ids=str)
async def page(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Api]:
    async with run_local_api(database_url, Vintage(request.param)) as connected:
        yield connected


async def config(page: Api) -> tuple[object, object]:
    report = (await page.get(f"{BASE}/clay/config", "member")).json()
    return report["webhook_url"], report["connected"]


async def versions(page: Api) -> int:
    found: int = await page.host.connection.fetchval("SELECT count(*) FROM clay.destination_versions")
    return found


async def refused(page: Api, body: object, expect: int, code: str) -> str:
    answer = await page.send("POST", f"{BASE}/clay/push", "member", json=body)
    assert (answer.status_code, answer.json()["code"]) == (expect, code)
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    return detail


async def refused_button(page: Api, who: str) -> str:
    """Returns the text that the page shows for a refused test. The page shows only `message` of a 200 response."""
    answer = await page.send("POST", f"{BASE}/clay/test", who)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report.keys(), report["status"]) == ({"status", "message"}, "error")
    return str(report["message"])


async def test_the_page_of_an_organization_without_settings_is_complete(page: Api) -> None:
    assert await config(page) == ("", False)
    assert (await page.get(f"{BASE}/clay/stats", "member")).json() == {"total": 0, "success": 0, "failed": 0}
    assert (await page.get(f"{BASE}/clay/activity?limit=20", "member")).json() == []
    # with billing on, the organizations of the tests are on Enterprise
    billing = page.app.state.settings.billing_enabled
    assert (await page.get(f"{BASE}/status", "member")).json() == {
        "integrations": {
            "clay": {"configured": False, "last_push_at": None, "total_pushed": 0, "success_rate": 0.0},
            "salesforce": {"configured": False},
            "hubspot": {"configured": False},
        },
        "billing_enabled": billing,
        "is_enterprise": billing,
    }


async def test_saving_replaces_values_keeps_masked_ones_and_removes_empty_ones(page: Api) -> None:
    await save(page, f"  {WEBHOOK} ")
    assert await config(page) == (MASKED, True)
    await save(page, MASKED)
    assert await config(page) == (MASKED, True)
    assert await versions(page) == 1
    await save(page, OTHER_WEBHOOK)
    assert await config(page) == ("https://api.clay.com/v3/…/••••0ae7", True)
    assert await versions(page) == 2
    await save(page, "")
    assert await config(page) == ("", False)
    await save(page, " ")
    stored = await page.host.connection.fetchval(
        "SELECT count(*) FROM clay.destination_versions WHERE sealed_url IS NOT NULL"
    )
    assert stored == 0


async def test_an_old_mask_and_an_invalid_url_are_refused_with_a_message(page: Api) -> None:
    await save(page, WEBHOOK)
    for url in (
        "https://api.clay.com/v3/…/••••0000",
        "http://169.254.169.254/latest",
        "https://clay.com.evil.io/x",
        "?",
    ):
        report = await save(page, url, expect=422)
        assert isinstance(report["detail"], str)
        assert url not in report["detail"]
    assert await config(page) == (MASKED, True)


async def test_a_plain_member_may_only_read_and_push(page: Api) -> None:
    # The page reports every 200 of a save as success, so a refused save must be an error.
    answer = await page.put(f"{BASE}/clay/config", "member", {"webhook_url": WEBHOOK})
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    assert isinstance(answer.json()["detail"], str)
    assert "owner" in await refused_button(page, "member")


async def test_without_an_organization_header_the_first_one_of_the_user_is_used(page: Api) -> None:
    first = min(page.org_id, page.other_org_id)
    await page.put("/api/clay/config", "both", {"webhook_url": WEBHOOK}, org=page.org_id)
    seen = (await page.get(f"{BASE}/clay/config", "both")).json()
    assert seen["connected"] is (first == page.org_id)
    named = await page.get(f"{BASE}/clay/config", "both", org=page.org_id)
    assert named.json()["connected"] is True
    # /api/clay requires the organization
    assert (await page.get("/api/clay/config", "both")).json()["code"] == "organization_required"


async def test_the_test_button_sends_one_row_and_shows_the_result(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: OK if number == 0 else status(401))
    async with run_local_api(database_url, receiver=clay) as page:
        path = f"{BASE}/clay/test"
        report = (await page.send("POST", path, "owner")).json()
        assert report == {"status": "error", "message": "Configure your Clay webhook URL in Settings → Integrations"}
        await save(page, clay.url)
        assert (await page.send("POST", path, "owner")).json()["status"] == "ok"
        assert (await page.get("/api/clay/status", "member")).json()["connected"] is True
        answer = await page.send("POST", path, "owner")
        assert (answer.status_code, answer.json()["status"]) == (200, "error")
        assert answer.json()["message"].startswith("Clay rejected the auth token of the webhook. Copy")


async def test_the_test_button_shows_every_refusal(database_url: str) -> None:
    clay = Receiver(answer=lambda _number, _body: status(401))
    async with run_local_api(database_url, receiver=clay) as page:
        assert "Configure your Clay webhook URL" in await refused_button(page, "owner")
        await save(page, clay.url)
        await page.host.connection.execute(
            "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized', state_since = now()"
        )
        assert "token" in await refused_button(page, "admin")
        assert "owner" in await refused_button(page, "member")


async def test_the_test_button_reports_missing_encryption_keys(database_url: str) -> None:
    async with run_local_api(database_url, encryption_keys="") as page:
        assert "operator" in await refused_button(page, "owner")


async def test_a_push_without_a_project_creates_one_job_per_project(page: Api) -> None:
    await save(page, page.receiver.url)
    host = page.host
    one, two = await host.project(page.org_id, "One"), await host.project(page.org_id, "Two")
    leads = [await host.lead(one, score=80, full_name="Ada"), await host.lead(two), await host.lead(two)]
    await host.scored(leads[0], two, score=10)
    answer = await push(page, contributor_ids=[str(each) for each in leads])
    assert answer["lead_count"] == 3
    jobs = answer["jobs"]
    assert isinstance(jobs, list)
    assert {(job["project_id"], job["lead_count"]) for job in jobs} == {(str(one), 1), (str(two), 2)}
    again = await push(page, contributor_ids=[str(leads[0])], project_id=str(two))
    report = "Nothing was queued: 1 lead skipped. Already queued in another push."
    assert (again["skipped_count"], again["message"]) == (1, report)
    assert (await push(page, contributor_ids=[str(leads[0])], project_id="", extra="ignored"))["skipped_count"] == 1


async def test_stats_and_activity_after_a_push(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: OK if number < 2 else status(422))
    async with run_local_api(database_url, receiver=clay) as page:
        await page.put("/api/clay/config", "owner", {"webhook_url": clay.url, "rate_limit_ms": 0})
        project_id = await page.host.project(page.org_id)
        leads = [await page.host.lead(project_id, full_name="Ada Lovelace") for _ in range(3)]
        await push(page, contributor_ids=[str(each) for each in leads])
        await page.drain()
        await push(page, contributor_ids=[str(leads[0]), str(leads[1])])
        assert (await page.get(f"{BASE}/clay/stats", "member")).json() == {"total": 3, "success": 2, "failed": 1}
        items = (await page.get(f"{BASE}/clay/activity?limit=20", "member")).json()
        assert {item["contributor_id"] for item in items} == {str(each) for each in leads}
        assert len({item["id"] for item in items}) == 3
        assert sorted(item["status"] for item in items) == ["failed", "success", "success"]
        assert {item["full_name"] for item in items} == {"Ada Lovelace"}
        assert all(item["member_id"] == item["contributor_id"] for item in items)
        moments = [datetime.fromisoformat(item["pushed_at"]) for item in items]
        assert moments == sorted(moments, reverse=True)
        assert len((await page.get(f"{BASE}/clay/activity?limit=2", "member")).json()) == 2
        clay_status = (await page.get(f"{BASE}/status", "member")).json()["integrations"]["clay"]
        assert (clay_status["configured"], clay_status["total_pushed"]) == (True, 2)
        assert clay_status["success_rate"] == pytest.approx(2 / 3, abs=1e-4)
        assert datetime.fromisoformat(clay_status["last_push_at"]).tzinfo is not None


async def test_an_impossible_push_is_refused_with_a_message(page: Api) -> None:
    lead = await page.host.lead(await page.host.project(page.org_id))
    body = {"contributor_ids": [str(lead)]}
    report = await refused(page, body, 409, "clay_not_configured")
    assert report == "Configure your Clay webhook URL in Settings → Integrations"
    await save(page, page.receiver.url)
    assert "Select at least one lead" in await refused(page, {"contributor_ids": []}, 422, "nothing_selected")
    await refused(page, {}, 422, "invalid_request")
    await refused(page, {"contributor_ids": ["x"]}, 422, "invalid_request")
    unknown = str(uuid4())
    assert unknown in await refused(page, {"contributor_ids": [str(lead), unknown]}, 404, "lead_not_found")
    await refused(page, {**body, "project_id": unknown}, 404, "project_not_found")
    assert await page.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs") == 0


async def test_an_organization_without_access_to_clay_gets_a_message(database_url: str) -> None:
    async with run_api(database_url, billing_enabled=True) as app:
        body = {"contributor_ids": [str(UUID(int=7))]}
        answer = await app.send("POST", f"{BASE}/clay/push", "member", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "enterprise_required")
        assert answer.json()["detail"].startswith("Clay integration is available on the Enterprise plan.")
        report = (await app.send("POST", f"{BASE}/clay/test", "owner")).json()
        assert report["status"] == "error"
        assert report["message"].startswith("Clay integration is available on the Enterprise plan.")
        await app.host.add("org_billing", org_id=app.org_id, is_enterprise=True)
        report = (await app.get(f"{BASE}/status", "member")).json()
        assert (report["billing_enabled"], report["is_enterprise"]) == (True, True)
        assert (await app.send("POST", f"{BASE}/clay/push", "member", json=body)).status_code == 409


async def test_a_service_key_may_use_these_routes(page: Api) -> None:
    key = await page.key(Scope.READ)
    assert (await page.get(f"{BASE}/clay/stats", key)).status_code == 200
    assert (await page.send("POST", f"{BASE}/clay/push", key, json={"contributor_ids": []})).status_code == 403
