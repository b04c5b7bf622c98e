"""Liveness, readiness, metrics and /status. /status fails only if pushes cannot be sent."""

import html

import pytest

from clay_push_service.callers.caller import Scope
from clay_push_service.migrations import head
from tests.harness.api import Api, run_api
from tests.harness.runtime import runtime_role
from tests.ops.instance import due_leads, more_destinations, run, status, worker


async def test_a_healthy_instance_gives_no_advice(app: Api) -> None:
    await worker(app)
    report = await status(app)
    assert (report["status"], report["advice"]) == ("ok", [])
    assert report["database"] == {
        "reachable": True, "migrated": True, "nexusleads": str(app.host.vintage), "revision": head(), "needed_revision": head(),
        "version": report["database"]["version"], "latency_ms": report["database"]["latency_ms"],  # type: ignore[index]  # JSON
    }  # fmt: skip


async def test_an_idle_instance_without_a_worker_is_degraded(app: Api) -> None:
    report = await status(app)
    assert report["status"] == "degraded"
    assert "clay-push worker" in str(report["advice"])


async def test_due_leads_without_a_live_worker_are_a_failure(app: Api) -> None:
    await worker(app, seconds_ago=31)
    await due_leads(app)
    report = await status(app, 503)
    assert report["status"] == "failing"
    assert "3 leads are due and no worker is running." in str(report["advice"])
    queue = report["queue"]
    assert isinstance(queue, dict)
    assert (queue["pending"], queue["due"], queue["live_jobs"]) == (3, 3, 1)
    assert 299 < queue["oldest_due_seconds"] < 310


async def test_due_leads_that_no_worker_claims_are_reported(app: Api) -> None:
    await worker(app)
    await due_leads(app)
    report = await status(app)
    assert report["status"] == "degraded"
    assert "and no worker sends them" in str(report["advice"])


@pytest.mark.parametrize(
    "not_due",
    [
        "UPDATE clay.clay_push_log SET due_at = now() + interval '1 min'",
        "UPDATE clay.workspaces SET next_slot_at = now() + interval '1 min'",
        "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error', probe_at = now()",
    ],
    ids=["backoff", "pace", "outage"],
)
async def test_waiting_leads_are_not_due(app: Api, not_due: str) -> None:
    await worker(app)
    await due_leads(app)
    await run(app, not_due)
    report = await status(app)
    queue = report["queue"]
    assert isinstance(queue, dict)
    assert (queue["pending"], queue["due"], queue["oldest_due_seconds"]) == (3, 0, None)


async def test_waiting_and_closed_destinations_are_shown_without_urls(app: Api) -> None:
    await worker(app)
    await due_leads(app)
    await run(
        app,
        "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'",
    )
    answer = await app.get("/status")
    report = answer.json()
    assert report["closed_destinations"] == 1
    assert report["unhealthy_destinations"][0]["reason"] == "unauthorized"
    assert "clay.com" not in answer.text


async def test_a_live_push_job_without_a_live_worker_is_a_failure_even_without_due_leads(app: Api) -> None:
    await due_leads(app)
    await run(app, "UPDATE clay.workspaces SET next_slot_at = now() + interval '1 min'")
    assert "1 push job has not finished and no worker is running." in str((await status(app, 503))["advice"])


async def test_many_closed_destinations_do_not_hide_an_outage(app: Api) -> None:
    await worker(app)
    await more_destinations(app, 25, "closed", "quota_exhausted", hours_ago=1)
    await more_destinations(app, 3, "waiting", "server_error", hours_ago=2)
    report = await status(app)
    assert (report["closed_destinations"], report["waiting_destinations"]) == (25, 3)
    assert len(report["unhealthy_destinations"]) == 20  # type: ignore[arg-type]  # JSON
    assert "3 destinations wait until an outage of Clay ends." in str(report["advice"])
    await run(app, "UPDATE clay.destination_versions SET state_since = now() WHERE state = 'waiting'")
    assert (await status(app))["unhealthy_destinations"][0]["who"] == "none"  # type: ignore[index]  # JSON
    page = await app.get("/status", headers={"Accept": "text/html"})
    assert "The most recent 20 of 28." in page.text


@pytest.mark.parametrize(
    ("reason", "code", "sentence", "who"),
    [
        ("unauthorized", 200, "because Clay refuses the webhook (unauthorized)", "the organization's Clay admin"),
        ("blocked", 200, "because this service refuses the webhook's address", "the organization"),
        ("secret_unreadable", 503, "because the stored webhook cannot be decrypted", "you"),
    ],
)
async def test_a_closed_destination_shows_the_reason_and_who_must_act(
    app: Api, reason: str, code: int, sentence: str, who: str
) -> None:
    await worker(app)
    await more_destinations(app, 1, "closed", reason, hours_ago=1)
    report = await status(app, code)
    assert f"1 destination is closed, {sentence}" in str(report["advice"])
    assert report["unhealthy_destinations"][0]["who"] == who  # type: ignore[index]  # JSON
    page = (await app.get("/status", headers={"Accept": "text/html"})).text
    assert report["unhealthy_destinations"][0]["message"] in html.unescape(page)  # type: ignore[index]  # JSON


async def test_missing_grants_are_reported_also_when_the_caller_cannot_be_authenticated(app_client: Api) -> None:
    plain = app_client.credentials[await app_client.key(Scope.OPS, orgs=[])]
    await run(app_client, f'REVOKE SELECT ON ALL TABLES IN SCHEMA clay FROM "{runtime_role()}"')
    answer = await app_client.get("/status", headers={"Authorization": f"Bearer {plain}"})
    assert answer.status_code == 503
    assert answer.json()["database"]["reachable"]
    assert answer.json()["database"]["version"] is None
    [advice] = [each for each in answer.json()["advice"] if each["level"] == "failing"]
    assert "grants" in advice["what"]
    assert "CLAY_PUSH_ADMIN_DATABASE_URL" in advice["do"]
    assert "Check that PostgreSQL runs" not in answer.text
    page = await app_client.get("/status", headers={"Authorization": f"Bearer {plain}", "Accept": "text/html"})
    assert page.status_code == 503
    assert "unreachable" not in page.text
    assert "grants" in (await app_client.get("/readyz")).json()["detail"]


async def test_last_hour_is_counted_by_cause(app: Api) -> None:
    await worker(app)
    await due_leads(app)
    await run(
        app,
        "UPDATE clay.clay_push_log SET state = 'done', finished_at = now(), status = 'success'",
        "UPDATE clay.clay_push_log SET status = 'failed', cause = 'rejected'"
        " WHERE id = (SELECT id FROM clay.clay_push_log LIMIT 1)",
    )
    report = (await status(app))["last_hour"]
    assert report == {
        "finished": 3, "failed": 1, "failed_percent": 33.3,
        "causes": [{"cause": "success", "status": "success", "count": 2}, {"cause": "rejected", "status": "failed", "count": 1}],
    }  # fmt: skip


async def test_insecure_settings_are_reported(database_url: str) -> None:
    async with run_api(database_url, ops_open=True, allow_plain_http=True, encryption_keys="") as app:
        await worker(app)
        report = await status(app)
        assert report["status"] == "degraded"
        assert "CLAY_PUSH_ALLOW_PLAIN_HTTP" in str(report["insecure_settings"])
        assert "CLAY_PUSH_ENCRYPTION_KEYS" in str(report["advice"])
