"""The status page, the right to read it, the metrics, and readiness."""

import base64
import re

import httpx
import pytest
from prometheus_client import generate_latest

from clay_push_service.api.app import create_app
from clay_push_service.callers.caller import Scope
from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.ops.page import age, clock_offset
from clay_push_service.ops.scrape import Scrape
from tests.harness.api import Api
from tests.harness.nexusleads import open_nexusleads
from tests.harness.settings import make_settings
from tests.ops.instance import due_leads, run, worker


async def test_the_page_escapes_text_and_has_its_own_security_policy(app: Api) -> None:
    await worker(app)
    await due_leads(app)
    await run(app, "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'quota_exhausted'")
    answer = await app.get("/status", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert 'style="' not in answer.text
    assert "&lt;b&gt;Inbound&lt;/b&gt;" in answer.text
    assert "<b>Inbound" not in answer.text
    assert "quota exhausted" in answer.text


async def test_the_page_can_stop_refreshing_and_has_labels_for_screen_readers(app: Api) -> None:
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
    assert all('scope="col"' in attributes and report.strip() for attributes, report in heads)
    assert still.count('<div class="scroll" role="region"') == still.count('<div class="scroll"') == 4
    assert still.count('tabindex="0"') == 4
    assert "Next try (UTC)" in still


async def test_status_and_metrics_require_a_key_with_scope_ops(app_client: Api) -> None:
    ops, reader = await app_client.key(Scope.OPS, orgs=[]), await app_client.key(Scope.READ)
    for path in ("/status", "/metrics"):
        assert (await app_client.get(path)).status_code == 401
        assert (await app_client.get(path, "owner")).status_code == 401
        assert (await app_client.get(path, reader)).status_code == 403
        assert (await app_client.get(path, ops)).status_code == 200
    for path in ("/healthz", "/readyz"):
        assert (await app_client.get(path)).status_code == 200


async def test_a_browser_can_send_the_key_as_a_password(app_client: Api) -> None:
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


async def test_metrics_contain_the_queue(app: Api) -> None:
    await worker(app)
    await due_leads(app)
    report = (await app.get("/metrics")).text
    assert 'clay_push_queue_leads{state="due"} 3.0' in report
    assert "clay_push_live_workers 1.0" in report
    assert "clay_push_database_up 1.0" in report
    assert 299 < float(re.findall(r"^clay_push_oldest_due_seconds (.+)$", report, re.MULTILINE)[0]) < 310
    await run(app, "UPDATE clay.quota_meters SET used = 48000")
    assert (await app.get("/metrics")).text.count('clay_push_quota_destinations{over="0.95"} 0.0') == 1, (
        "values are cached for 5 s"
    )
    app.app.state.scrape = Scrape()
    report = (await app.get("/metrics")).text
    for line in ('clay_push_quota_destinations{over="0.8"} 1.0', 'clay_push_quota_destinations{over="0.95"} 1.0'):
        assert line in report
    assert "clay_push_quota_fullest_ratio 0.96" in report
    assert str(app.org_id) not in report


def test_metrics_of_the_web_process_are_not_exported_by_workers() -> None:
    own = generate_latest().decode()
    assert "clay_push_attempts_total" in own
    assert "clay_push_live_workers" not in own


async def test_an_unavailable_database_is_a_failure_but_the_process_is_alive(database_url: str) -> None:
    gone = Database("postgresql://nobody:nothing@127.0.0.1:1/none", pool_size=1)
    for ops_open in (True, False):
        app = create_app(make_settings(database_url, ops_open=ops_open, allow_plain_http=True), database=gone)
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
            assert ("ALLOW_PLAIN_HTTP" in answer.text) is ops_open  # settings are shown only to authenticated callers
            page = await http.get("/status", headers=key | {"Accept": "text/html"})
            assert page.status_code == 503
            assert "unreachable" in page.text
            [stylesheet] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page.text)
            assert (await http.get(stylesheet)).status_code == 200, "the frame needs no database"
            report = (await http.get("/metrics", headers=key)).text
            assert "clay_push_database_up 0.0" in report
            assert "clay_push_oldest_due_seconds" not in report, "unknown numbers must not be shown"
    await gone.close()


async def test_an_unmigrated_database_is_not_ready(empty_database_url: str) -> None:
    async with open_nexusleads(empty_database_url, Vintage.DOCUMENT):
        app = create_app(make_settings(empty_database_url, ops_open=True))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://t") as http,
        ):
            assert "not migrated" in (await http.get("/readyz")).json()["detail"]
            answer = await http.get("/status")
            assert answer.status_code == 503
            assert "clay-push migrate" in answer.text


async def test_a_database_of_a_newer_release_is_ready(app: Api) -> None:
    await run(app, "UPDATE clay.alembic_version SET version_num = '9999'")
    assert (await app.get("/readyz")).status_code == 200


async def test_a_database_without_nexusleads_is_not_ready(database_url: str) -> None:
    app = create_app(make_settings(database_url, ops_open=True))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert "NexusLeads" in answer.json()["detail"]
        assert (await http.get("/status")).status_code == 503


@pytest.mark.parametrize(
    ("seconds", "report"),
    [
        (None, "–"), (0.04, "0.0 s"), (12.4, "12 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (3 * 86400 + 4 * 3600, "3 d 4 h"), (400 * 86400, "400 d"),
    ],
)  # fmt: skip
def test_ages_are_shown_in_readable_units(seconds: float | None, report: str) -> None:
    assert age(seconds) == report


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.0, "0.0 s"), (-0.04, "0.0 s"), (0.04, "0.0 s"), (-6.04, "-6.0 s"), (6.0, "+6.0 s")],
)
def test_a_small_clock_offset_is_shown_without_a_sign(seconds: float | None, shown: str) -> None:
    assert clock_offset(seconds) == shown
