"""What on-call sees: alive, ready, metrics, and a status that fails only when the work cannot be done."""

import base64
import html
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from prometheus_client import generate_latest
from sqlalchemy import text

from clay_push_service.api.app import create_app
from clay_push_service.callers.caller import Scope
from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.migrations import head
from clay_push_service.ops.page import age, clock_offset
from clay_push_service.ops.scrape import Scrape
from tests.support.app import WEBHOOK, AppClient, app_settings, running_app
from tests.support.nexusleads import miniature_host
from tests.support.runtime import runtime_role


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[AppClient]:
    async with running_app(database_url, ops_open=True) as client:
        yield client


async def run(app: AppClient, *statements: str) -> None:
    """As the owner of the database."""
    async with app.owner.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement), {"org": app.org_id})


async def worker(app: AppClient, seconds_ago: int = 1) -> None:
    await run(
        app,
        "INSERT INTO clay.workers (id, hostname, pid, version, seen_at)"
        f" VALUES (gen_random_uuid(), 'box-1', 4711, '0.1.0', now() - interval '{seconds_ago} s')",
    )


async def due_leads(app: AppClient, minutes_ago: int = 5) -> None:
    await app.put("/api/clay/config", "owner", {"webhook_url": WEBHOOK, "table_name": "<b>Inbound</b>"})
    job = uuid4()
    await run(
        app,
        f"UPDATE clay.workspaces SET next_slot_at = now() - interval '{minutes_ago} min' WHERE org_id = :org",
        "INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, lead_count,"
        f" created_at) SELECT '{job}', org_id, gen_random_uuid(), id, version_id, 1, 'selected', 3, now() - interval"
        f" '{minutes_ago} min' FROM clay.destinations WHERE org_id = :org",
        "INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, due_at)"
        f" SELECT :org, '{job}', gen_random_uuid(), gen_random_uuid(), id, 1, now() - interval '{minutes_ago} min'"
        " FROM clay.destinations, generate_series(1, 3) WHERE org_id = :org",
    )


async def status(app: AppClient, code: int = 200) -> dict[str, object]:
    answer = await app.get("/status")
    assert answer.status_code == code, answer.text
    said: dict[str, object] = answer.json()
    return said


async def test_healthy_instance_has_nothing_to_do(app: AppClient) -> None:
    await worker(app)
    said = await status(app)
    assert (said["status"], said["advice"]) == ("ok", [])
    assert said["database"] == {
        "reachable": True, "migrated": True, "nexusleads": str(app.host.vintage), "revision": head(), "needed_revision": head(),
        "version": said["database"]["version"], "latency_ms": said["database"]["latency_ms"],  # type: ignore[index]  # JSON
    }  # fmt: skip


async def test_idle_instance_without_a_worker_is_degraded(app: AppClient) -> None:
    said = await status(app)
    assert said["status"] == "degraded"
    assert "clay-push worker" in str(said["advice"])


async def test_due_leads_without_a_live_worker_are_a_failure(app: AppClient) -> None:
    await worker(app, seconds_ago=31)
    await due_leads(app)
    said = await status(app, 503)
    assert said["status"] == "failing"
    assert "3 leads are due and no worker is running." in str(said["advice"])
    queue = said["queue"]
    assert isinstance(queue, dict)
    assert (queue["pending"], queue["due"], queue["live_jobs"]) == (3, 3, 1)
    assert 299 < queue["oldest_due_seconds"] < 310


async def test_leads_that_nobody_works_on_are_said(app: AppClient) -> None:
    await worker(app)
    await due_leads(app)
    said = await status(app)
    assert said["status"] == "degraded"
    assert "and no worker sends them" in str(said["advice"])


@pytest.mark.parametrize(
    "not_due",
    [
        "UPDATE clay.clay_push_log SET due_at = now() + interval '1 min'",
        "UPDATE clay.workspaces SET next_slot_at = now() + interval '1 min'",
        "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error', probe_at = now()",
    ],
    ids=["backoff", "pace", "outage"],
)
async def test_what_waits_is_not_due(app: AppClient, not_due: str) -> None:
    await worker(app)
    await due_leads(app)
    await run(app, not_due)
    said = await status(app)
    queue = said["queue"]
    assert isinstance(queue, dict)
    assert (queue["pending"], queue["due"], queue["oldest_due_seconds"]) == (3, 0, None)


async def test_waiting_and_closed_destinations_are_named_without_their_urls(app: AppClient) -> None:
    await worker(app)
    await due_leads(app)
    await run(
        app,
        "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'",
    )
    answer = await app.get("/status")
    said = answer.json()
    assert said["closed_destinations"] == 1
    assert said["unhealthy_destinations"][0]["reason"] == "unauthorized"
    assert "clay.com" not in answer.text


async def test_live_push_job_without_a_live_worker_is_a_failure_even_while_nothing_is_due(app: AppClient) -> None:
    await due_leads(app)
    await run(app, "UPDATE clay.workspaces SET next_slot_at = now() + interval '1 min'")
    assert "1 push job has not finished and no worker is running." in str((await status(app, 503))["advice"])


async def more_destinations(app: AppClient, number: int, state: str, reason: str, hours_ago: int) -> None:
    """Of organizations that nobody else knows."""
    await run(
        app,
        "CREATE TEMPORARY TABLE made AS SELECT gen_random_uuid() AS org, gen_random_uuid() AS destination,"
        f" gen_random_uuid() AS version, gen_random_uuid() AS workspace, gen_random_uuid() AS meter FROM generate_series(1, {number})",
        "INSERT INTO clay.workspaces (id, org_id) SELECT workspace, org FROM made",
        "INSERT INTO clay.quota_meters (id, org_id) SELECT meter, org FROM made",
        "INSERT INTO clay.destinations (id, org_id, workspace_id) SELECT destination, org, workspace FROM made",
        "INSERT INTO clay.destination_versions (id, org_id, destination_id, number, sealed_url, url_mask, source, state, state_reason,"
        f" state_since, meter_id) SELECT version, org, destination, 1, 'sealed', 'masked', 'api', '{state}', '{reason}',"
        f" now() - interval '{hours_ago} h', meter FROM made",
        "UPDATE clay.destinations SET version_id = made.version FROM made WHERE id = made.destination",
        "DROP TABLE made",
    )


async def test_many_closed_destinations_hide_no_outage(app: AppClient) -> None:
    await worker(app)
    await more_destinations(app, 25, "closed", "quota_exhausted", hours_ago=1)
    await more_destinations(app, 3, "waiting", "server_error", hours_ago=2)
    said = await status(app)
    assert (said["closed_destinations"], said["waiting_destinations"]) == (25, 3)
    assert len(said["unhealthy_destinations"]) == 20  # type: ignore[arg-type]  # JSON
    assert "3 destinations wait until an outage of Clay ends." in str(said["advice"])
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
async def test_closed_destination_says_why_and_who_acts(
    app: AppClient, reason: str, code: int, sentence: str, who: str
) -> None:
    await worker(app)
    await more_destinations(app, 1, "closed", reason, hours_ago=1)
    said = await status(app, code)
    assert f"1 destination is closed, {sentence}" in str(said["advice"])
    assert said["unhealthy_destinations"][0]["who"] == who  # type: ignore[index]  # JSON
    page = (await app.get("/status", headers={"Accept": "text/html"})).text
    assert said["unhealthy_destinations"][0]["message"] in html.unescape(page)  # type: ignore[index]  # JSON


async def test_missing_grants_are_said_as_such_also_to_whom_no_key_can_be_asked(app_client: AppClient) -> None:
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


async def test_last_hour_is_counted_by_cause(app: AppClient) -> None:
    await worker(app)
    await due_leads(app)
    await run(
        app,
        "UPDATE clay.clay_push_log SET state = 'done', finished_at = now(), status = 'success'",
        "UPDATE clay.clay_push_log SET status = 'failed', cause = 'rejected'"
        " WHERE id = (SELECT id FROM clay.clay_push_log LIMIT 1)",
    )
    said = (await status(app))["last_hour"]
    assert said == {
        "finished": 3, "failed": 1, "failed_percent": 33.3,
        "causes": [{"cause": "success", "status": "success", "count": 2}, {"cause": "rejected", "status": "failed", "count": 1}],
    }  # fmt: skip


async def test_insecure_settings_are_reported(database_url: str) -> None:
    async with running_app(database_url, ops_open=True, allow_plain_http=True, encryption_keys="") as app:
        await worker(app)
        said = await status(app)
        assert said["status"] == "degraded"
        assert "CLAY_PUSH_ALLOW_PLAIN_HTTP" in str(said["insecure_settings"])
        assert "CLAY_PUSH_ENCRYPTION_KEYS" in str(said["advice"])


async def test_page_escapes_and_carries_its_own_policy(app: AppClient) -> None:
    await worker(app)
    await due_leads(app)
    await run(app, "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'quota_exhausted'")
    answer = await app.get("/status", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in answer.headers["content-security-policy"]
    assert "&lt;b&gt;Inbound&lt;/b&gt;" in answer.text
    assert "<b>Inbound" not in answer.text
    assert "quota exhausted" in answer.text


async def test_page_can_be_made_to_stand_still_and_read_aloud(app: AppClient) -> None:
    await worker(app)
    await due_leads(app)
    await run(
        app,
        "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error', probe_at = now()",
        "UPDATE clay.clay_push_log SET state = 'done', finished_at = now(), status = 'success'",
    )
    html_please = {"Accept": "text/html"}
    moving = (await app.get("/status", headers=html_please)).text
    assert '<meta http-equiv="refresh" content="10">' in moving
    assert 'href="?refresh=0"' in moving
    still = (await app.get("/status?refresh=0", headers=html_please)).text
    assert "http-equiv" not in still
    assert 'href="?"' in still
    heads = re.findall(r"<th\b([^>]*)>([^<]*)</th>", still)
    assert len(heads) > 12
    assert all('scope="col"' in attributes and said.strip() for attributes, said in heads)
    assert still.count('<div class="scroll" role="region"') == still.count('<div class="scroll"') == 4
    assert still.count('tabindex="0"') == 4
    assert "Next try (UTC)" in still


async def test_status_and_metrics_are_for_keys_with_scope_ops(app_client: AppClient) -> None:
    ops, reader = await app_client.key(Scope.OPS, orgs=[]), await app_client.key(Scope.READ)
    for path in ("/status", "/metrics"):
        assert (await app_client.get(path)).status_code == 401
        assert (await app_client.get(path, "owner")).status_code == 401
        assert (await app_client.get(path, reader)).status_code == 403
        assert (await app_client.get(path, ops)).status_code == 200
    for path in ("/healthz", "/readyz"):
        assert (await app_client.get(path)).status_code == 200


async def test_browser_may_give_the_key_as_a_password(app_client: AppClient) -> None:
    answer = await app_client.get("/status", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    plain = app_client.credentials[await app_client.key(Scope.OPS, orgs=[])]
    for password, code in ((plain, 200), ("wrong", 401)):
        basic = "Basic " + base64.b64encode(f"on-call:{password}".encode()).decode()
        answer = await app_client.get("/status", headers={"Accept": "text/html", "Authorization": basic})
        assert answer.status_code == code
    answer = await app_client.get("/status", headers={"Authorization": "Basic %%%"})
    assert answer.status_code == 401


async def test_metrics_tell_the_queue(app: AppClient) -> None:
    await worker(app)
    await due_leads(app)
    said = (await app.get("/metrics")).text
    assert 'clay_push_queue_leads{state="due"} 3.0' in said
    assert "clay_push_live_workers 1.0" in said
    assert "clay_push_database_up 1.0" in said
    assert 299 < float(re.findall(r"^clay_push_oldest_due_seconds (.+)$", said, re.MULTILINE)[0]) < 310
    await run(app, "UPDATE clay.quota_meters SET used = 48000")
    assert (await app.get("/metrics")).text.count('clay_push_quota_destinations{over="0.95"} 0.0') == 1, "kept for 5 s"
    app.app.state.scrape = Scrape()
    said = (await app.get("/metrics")).text
    for line in ('clay_push_quota_destinations{over="0.8"} 1.0', 'clay_push_quota_destinations{over="0.95"} 1.0'):
        assert line in said
    assert "clay_push_quota_fullest_ratio 0.96" in said
    assert str(app.org_id) not in said


def test_what_only_the_web_process_asks_is_not_served_by_workers() -> None:
    own = generate_latest().decode()
    assert "clay_push_attempts_total" in own
    assert "clay_push_live_workers" not in own


async def test_database_that_is_down_is_a_failure_and_the_process_lives(database_url: str) -> None:
    gone = Database("postgresql://nobody:nothing@127.0.0.1:1/none", pool_size=1)
    for ops_open in (True, False):
        app = create_app(app_settings(database_url, ops_open=ops_open, allow_plain_http=True), database=gone)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://t") as http,
        ):
            assert (await http.get("/healthz")).status_code == 200
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
            key = {"Authorization": "Bearer cps_00000000_" + "A" * 43}
            answer = await http.get("/status", headers=key)
            assert (answer.status_code, answer.json()["status"]) == (503, "failing")
            assert "PostgreSQL" in str(answer.json()["advice"])
            assert ("ALLOW_PLAIN_HTTP" in answer.text) is ops_open  # who cannot be asked for a key is told no settings
            page = await http.get("/status", headers=key | {"Accept": "text/html"})
            assert page.status_code == 503
            assert "unreachable" in page.text
            said = (await http.get("/metrics", headers=key)).text
            assert "clay_push_database_up 0.0" in said
            assert "clay_push_oldest_due_seconds" not in said, "no number is made up"
    await gone.close()


async def test_unmigrated_database_is_not_ready(empty_database_url: str) -> None:
    async with miniature_host(empty_database_url, Vintage.DOCUMENT):
        app = create_app(app_settings(empty_database_url, ops_open=True))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://t") as http,
        ):
            assert "not migrated" in (await http.get("/readyz")).json()["detail"]
            answer = await http.get("/status")
            assert answer.status_code == 503
            assert "clay-push migrate" in answer.text


async def test_database_of_a_newer_release_is_ready(app: AppClient) -> None:
    await run(app, "UPDATE clay.alembic_version SET version_num = '9999'")
    assert (await app.get("/readyz")).status_code == 200


async def test_database_without_nexusleads_is_not_ready(database_url: str) -> None:
    app = create_app(app_settings(database_url, ops_open=True))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert "NexusLeads" in answer.json()["detail"]
        assert (await http.get("/status")).status_code == 503


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"), (0.04, "0.0 s"), (12.4, "12 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (3 * 86400 + 4 * 3600, "3 d 4 h"), (400 * 86400, "400 d"),
    ],
)  # fmt: skip
def test_ages_are_written_for_people(seconds: float | None, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.0, "0.0 s"), (-0.04, "0.0 s"), (0.04, "0.0 s"), (-6.04, "-6.0 s"), (6.0, "+6.0 s")],
)
def test_a_small_clock_offset_is_shown_without_a_sign(seconds: float | None, shown: str) -> None:
    assert clock_offset(seconds) == shown
