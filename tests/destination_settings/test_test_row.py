"""`POST /api/clay/test` against the sandbox: the report, the quota that a test uses, and when a test opens a destination."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from prometheus_client import REGISTRY
from sqlalchemy import text

from clay_push_service.callers.caller import Scope
from tests.clay.receivers import ReceiverOf
from tests.harness.api import WEBHOOK, Api, run_api
from tests.support.dump import dump
from tests.support.sandbox import SandboxProcess

CONFIG, TEST = "/api/clay/config", "/api/clay/test"


def secrets_unreadable() -> float:
    return REGISTRY.get_sample_value("clay_push_secrets_unreadable_total") or 0.0


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(tmp_path / "sandbox") as process:
        yield process


@pytest.fixture
async def app(database_url: str, sandbox: SandboxProcess) -> AsyncIterator[Api]:
    async with run_api(
        database_url,
        allowed_webhook_hosts=f"127.0.0.1:{sandbox.port}",
        allowed_webhook_networks="127.0.0.0/8",
        allow_plain_http=True,
        request_timeout_seconds=5,
    ) as client:
        answer = await client.put(CONFIG, "owner", {"webhook_url": sandbox.webhook_url(), "quota_used": 10})
        assert answer.status_code == 200, answer.text
        yield client


async def run_test(app: Api) -> dict[str, object]:
    answer = await app.send("POST", TEST, "admin")
    assert answer.status_code == 200, answer.text
    shown: dict[str, object] = answer.json()
    assert shown.keys() == {"success", "message", "clay_response_status", "cause", "remedy", "duration_ms", "stages"}
    stages = shown.pop("stages")
    assert isinstance(stages, list)
    assert [each["name"] for each in stages] == ["address", "dns", "connection", "tls", "token", "row"]
    assert all(each["status"] == "passed" for each in stages) == shown["success"]
    assert "127.0.0.1" not in answer.text
    return shown


async def config(app: Api) -> dict[str, object]:
    answer: dict[str, object] = (await app.get(CONFIG, "member")).json()
    return answer


async def close(app: Api, state: str = "closed") -> None:
    async with app.database.transaction() as connection:
        await connection.execute(
            text("UPDATE clay.destination_versions SET state = :state, state_reason = 'unauthorized', refusals = 3"),
            {"state": state},
        )


async def test_a_successful_test_creates_one_row_and_uses_one_submission(app: Api, sandbox: SandboxProcess) -> None:
    shown = await run_test(app)
    assert (shown["success"], shown["clay_response_status"], shown["cause"], shown["remedy"]) == (True, 200, None, None)
    assert isinstance(shown["duration_ms"], int)
    (row,) = await sandbox.rows()
    assert isinstance(row["body"], dict)
    assert "delete this row" in str(row["body"]["full_name"])
    assert (await config(app))["quota_used"] == 11


@pytest.mark.parametrize("state", ["closed", "waiting"])
async def test_a_successful_test_opens_the_destination(app: Api, state: str) -> None:
    await close(app, state)
    assert (await run_test(app))["success"] is True
    now = await config(app)
    assert (now["state"], now["reason"]) == ("open", None)


async def test_a_failed_test_reports_reason_and_remedy_and_closes_nothing(app: Api, sandbox: SandboxProcess) -> None:
    await sandbox.change_source(token="secret")
    for _ in range(4):
        shown = await run_test(app)
        assert (shown["success"], shown["clay_response_status"], shown["cause"]) == (False, 401, "unauthorized")
        assert "token" in str(shown["remedy"])
    now = await config(app)
    assert (now["state"], now["quota_used"]) == ("open", 10)
    await close(app)
    await run_test(app)
    assert (await config(app))["state"] == "closed"


def response_with_text(status: int) -> bytes:
    """Returns a response of Clay that contains this text in reason, headers and body."""
    headers = "".join(
        f"{name}: canary\r\n" for name in ("X-Word", "Location", "Retry-After", "Set-Cookie", "Keep-Alive")
    )
    body = '{"type": "canary", "message": "canary \\"record limit reached\\""}'
    return f"HTTP/1.1 {status} canary\r\n{headers}content-length: {len(body)}\r\n\r\n{body}".encode()


ANSWERS = {
    **{
        str(status): response_with_text(status)
        for status in (200, 204, 302, 400, 401, 403, 404, 410, 413, 422, 429, 500, 503, 600)
    },
    "no HTTP": b"canary canary canary\r\n\r\n",
    "a bad status": b"HTTP/1.1 canary canary\r\n\r\n",
    "a bad header": b"HTTP/1.1 200 OK\r\ncanary\r\n\r\n",
    "too long a header": b"HTTP/1.1 200 OK\r\nx: " + b"canary" * 20_000 + b"\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\ncontent-length: canary\r\n\r\ncanary",
    "cut short": b"HTTP/1.1 503 canary\r\ncontent-length: 1000\r\n\r\ncanary",
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_the_text_of_clays_response_is_never_repeated(
    database_url: str, receiver_of: ReceiverOf, name: str
) -> None:
    """Neither the report nor the audit log contains it. `tests/test_canary.py` checks the service's log."""
    receiver = await receiver_of(ANSWERS[name])
    async with run_api(
        database_url, allowed_webhook_hosts=f"127.0.0.1:{receiver.port}", allowed_webhook_networks="127.0.0.0/8",
        allow_plain_http=True, request_timeout_seconds=5,
    ) as app:  # fmt: skip
        saved = await app.put(CONFIG, "owner", {"webhook_url": f"http://127.0.0.1:{receiver.port}/x"})
        assert saved.status_code == 200
        answer = await app.send("POST", TEST, "owner")
        assert (answer.status_code, len(receiver.requests)) == (200, 1)
        for path in ("/api/clay/audit", CONFIG, "/api/clay/status"):
            assert "canary" not in (await app.get(path, "owner")).text
        assert "canary" not in await dump(app.database)
    assert "canary" not in answer.text
    assert "canary" not in str(answer.headers)


PAGE = "\ufeff\n<!DOCTYPE html><title>Clay</title>"


@pytest.mark.parametrize("path", [TEST, "/api/integrations/clay/test"])
async def test_a_web_page_is_not_a_webhook_and_opens_nothing(
    database_url: str, receiver_of: ReceiverOf, path: str
) -> None:
    length = len(PAGE.encode())
    receiver = await receiver_of(f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{PAGE}".encode())
    async with run_api(
        database_url, allowed_webhook_hosts=f"127.0.0.1:{receiver.port}", allowed_webhook_networks="127.0.0.0/8",
        allow_plain_http=True,
    ) as app:  # fmt: skip
        await app.put(CONFIG, "owner", {"webhook_url": f"http://127.0.0.1:{receiver.port}/x"})
        await close(app)
        shown = (await app.send("POST", path, "owner")).json()
        if path == TEST:
            assert (shown["success"], shown["cause"], shown["clay_response_status"]) == (False, "not_a_webhook", 200)
            assert "webhook source" in shown["remedy"]
        else:
            assert shown["status"] == "error"
            assert "not a webhook" in shown["message"]
        assert (await config(app))["state"] == "closed"
        assert (await app.get("/api/clay/status", "member")).json()["connected"] is False


@pytest.mark.parametrize(("trusted", "cause"), [(False, "certificate_error"), (True, None)])
async def test_a_certificate_error_is_reported_as_such(
    database_url: str, receiver_of: ReceiverOf, tmp_path: Path, *, trusted: bool, cause: str | None
) -> None:
    """Without CLAY_PUSH_CA_FILE, the service does not trust the certificate's authority."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    receiver = await receiver_of(tls=server)
    async with run_api(
        database_url, allowed_webhook_hosts=f"localhost:{receiver.port}", allowed_webhook_networks="127.0.0.0/8",
        ca_file=str(tmp_path / "ca.pem") if trusted else None,
    ) as app:  # fmt: skip
        app.resolver.addresses["localhost"] = ["127.0.0.1"]
        await app.put(CONFIG, "owner", {"webhook_url": f"https://localhost:{receiver.port}/x"})
        shown = (await app.send("POST", TEST, "owner")).json()
        assert shown["cause"] == cause
        assert cause is None or ("certificate" in shown["message"] and "CLAY_PUSH_CA_FILE" in shown["remedy"])


async def test_a_refused_connection_is_a_network_error(app: Api, sandbox: SandboxProcess) -> None:
    await sandbox.kill()
    shown = await run_test(app)
    assert (shown["success"], shown["cause"], shown["clay_response_status"]) == (False, "network_error", None)
    assert (await config(app))["quota_used"] == 10


async def test_a_missing_response_counts_as_a_submission_and_holds_no_connection(
    app: Api, sandbox: SandboxProcess
) -> None:
    await sandbox.faults({"kind": "slow", "ms": 60_000, "next": 1})
    trying = asyncio.create_task(app.send("POST", TEST, "admin"))
    while not (await sandbox.counts())["faults"]:  # noqa: ASYNC110 - another process has no event
        await asyncio.sleep(0.01)
    assert app.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool's own class
    answer = await trying
    assert answer.json()["cause"] == "unknown"
    assert (await config(app))["quota_used"] == 11


async def test_a_429_response_to_a_test_slows_the_destination_down(app: Api, sandbox: SandboxProcess) -> None:
    await sandbox.limit(rate=0.01, burst=1)
    await sandbox.admin.post(sandbox.webhook_url(), json={})
    shown = await run_test(app)
    assert (shown["success"], shown["cause"], shown["clay_response_status"]) == (False, "throttled", 429)
    assert "1 s" in str(shown["remedy"])
    async with app.database.transaction() as connection:
        throttled = (await connection.execute(text("SELECT throttled_ms FROM clay.workspaces"))).scalar_one()
    assert throttled == 250


async def test_a_test_does_not_wait_for_a_distant_slot(app: Api, sandbox: SandboxProcess) -> None:
    async with app.database.transaction() as connection:
        await connection.execute(text("UPDATE clay.workspaces SET next_slot_at = now() + interval '60 s'"))
    answer = await app.send("POST", TEST, "owner")
    assert (answer.status_code, answer.json()["code"]) == (429, "pace_busy")
    assert 50 < int(answer.headers["retry-after"]) <= 60
    assert await sandbox.arrivals() == []


async def test_a_test_without_a_webhook_is_refused(app_client: Api) -> None:
    answer = await app_client.send("POST", TEST, "owner")
    assert (answer.status_code, answer.json()["code"]) == (409, "clay_not_configured")
    assert answer.json()["detail"] == "Configure your Clay webhook URL in Settings → Integrations"


async def test_only_owners_admins_and_keys_with_scope_config_may_test(app: Api) -> None:
    assert (await app.send("POST", TEST, "member")).json()["code"] == "role_required"
    assert (await app.send("POST", TEST, await app.key(Scope.PUSH, Scope.READ))).json()["code"] == "scope_required"
    assert (await app.send("POST", TEST, await app.key(Scope.CONFIG))).status_code == 200


async def test_the_gate_is_checked_before_a_test(database_url: str) -> None:
    async with run_api(database_url, billing_enabled=True, upgrade_url="https://nexusleads.example/upgrade") as app:
        await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
        answer = await app.send("POST", TEST, "owner")
        assert (answer.status_code, answer.json()["code"]) == (403, "enterprise_required")
        assert answer.json()["upgrade_url"] == "https://nexusleads.example/upgrade"


async def test_the_guard_checks_the_webhook_again_at_a_test(app_client: Api) -> None:
    await app_client.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
    app_client.resolver.addresses["api.clay.com"] = ["10.0.0.8"]
    shown = await run_test(app_client)
    assert (shown["success"], shown["cause"]) == (False, "blocked")


async def test_an_undecryptable_secret_is_reported(app: Api) -> None:
    async with app.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE clay.destination_versions SET sealed_url = set_byte(sealed_url, 40, get_byte(sealed_url, 40) # 1)"
            )
        )
    alarms = secrets_unreadable()
    shown = await run_test(app)
    assert (shown["cause"], shown["duration_ms"]) == ("secret_unreadable", None)
    assert secrets_unreadable() == alarms + 1, (
        "a connection test closes the destination if it is the first to use a missing key"
    )
    answer: httpx.Response = await app.put(CONFIG, "owner", {"table_name": "x"})
    assert answer.status_code == 422
