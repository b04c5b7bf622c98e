"""A canary in every secret: after all that can happen, no log, no row, no metric and no answer of ours sings.

The webhook's URL, its token and a lead's e-mail are words that occur nowhere else. Everything the service says at DEBUG, in
both processes, and everything it stores is searched for them.
"""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
from prometheus_client import generate_latest

from clay_push_service import logs
from clay_push_service.database import Database
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from tests.support.dump import dump
from tests.support.stage import Stage, stage

SOURCE = "pull-in-data-from-a-webhook-canary-of-the-url-0f8fad5b"
TOKEN = "canary-of-the-token-d9cb469f"
EMAIL = "canary-of-the-email-a1658677@example.org"
NAME = "canary-of-the-name-28950e77"
BAD_URL = "https://canary-of-the-bad-url-7425.example/in?key=canary-of-the-query-40de"
CANARIES = (SOURCE, TOKEN, EMAIL, "canary-of-the-bad-url", "canary-of-the-query")
SHOWS_LEADS = re.compile(r"^(GET /api/clay/leads\?|POST /api/clay/preview|POST /api/clay/push\?dry_run)")
"""Answers whose purpose is to show a lead's e-mail to the organization it belongs to."""


@dataclass
class Heard:
    """Every answer of the API, with what was asked."""

    answers: list[tuple[str, str]] = field(default_factory=list)

    async def hear(self, response: httpx.Response) -> None:
        await response.aread()
        asked = f"{response.request.method} {response.request.url.raw_path.decode()}"
        self.answers.append((asked, f"{response.headers}\n{response.text}"))


@pytest.fixture
def api_log() -> Iterator[io.StringIO]:
    """What this process, which is the API's, logs at DEBUG."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("json", "DEBUG")
    structlog.configure(cache_logger_on_first_use=False)  # or other tests would log like this one
    buffer = io.StringIO()
    assert isinstance(root.handlers[0], logging.StreamHandler)
    root.handlers[0].stream = buffer
    yield buffer
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def everything_that_can_happen(service: Stage, heard: Heard) -> None:  # noqa: PLR0915 - one thing after another
    """Success and failure in every way there is; each step checks that it happened."""
    service.api.event_hooks["response"].append(heard.hear)
    sandbox, leads = service.sandbox, list(service.project.lead_ids)
    await sandbox.create_source(SOURCE, token=TOKEN)
    url = sandbox.webhook_url(SOURCE)
    good = {"webhook_url": url, "webhook_token": TOKEN, "rate_limit_ms": 0, "table_name": "Leads"}

    for bad in (
        {"webhook_url": BAD_URL},
        {"webhook_url": f"{url}#canary-of-the-query-40de"},
        good | {"rate_limit_ms": "x"},
    ):
        await service.call("PUT", "/api/clay/config", bad, status=422)
    await service.call("PUT", "/api/clay/config", {"webhook_url": BAD_URL, "webhook_token": f"{TOKEN}\n"}, status=422)
    await service.call("PUT", "/api/clay/config", good, user="acme-member", status=403)
    await service.call("PUT", "/api/clay/config", good)
    assert (await service.call("POST", "/api/clay/test"))["success"]

    async def push(number: int, **fault: Any) -> Any:
        """The next `number` leads, always with the canary's own lead, under a fault."""
        await sandbox.faults(*([fault] if fault else []), source=SOURCE)
        chosen = [service_lead, *[leads.pop() for _ in range(number)]]
        job = await service.ended((await service.push(chosen, push_again=True))["job_id"])
        await service.call("GET", f"/api/clay/jobs/{job['id']}/leads")
        await service.api.get(f"/api/clay/jobs/{job['id']}/leads.csv", headers=service.as_user())
        await service.api.get(f"/api/clay/jobs/{job['id']}/events", headers=service.as_user())
        return job

    service_lead: UUID = leads.pop(0)
    assert (await push(3))["success_count"] == 4
    assert (await push(3, kind="status", status=422))["causes"][0]["cause"] == "rejected"
    failed = await push(2, kind="status", status=503)
    assert failed["causes"][0]["cause"] == "server_error"
    assert (await push(1, kind="reset_after"))["failed_count"] == 2
    assert (await push(1, kind="slow", ms=3000))["causes"][0]["cause"] == "unknown"
    await sandbox.faults(source=SOURCE)
    retried = await service.call("POST", f"/api/clay/jobs/{failed['id']}/retry", {})
    await service.ended(retried["job_id"])
    await service.call("POST", "/api/clay/preview", {"lead_ids": [str(service_lead)], "push_again": True})
    await service.call("GET", f"/api/clay/leads?project_id={service.project.project_id}&search={EMAIL[:24]}")

    await sandbox.change_source(SOURCE, token="another")
    assert (await service.call("POST", "/api/clay/test"))["cause"] == "unauthorized"
    assert (await push(4))["causes"][0]["cause"] == "unauthorized"
    await service.call("POST", "/api/clay/push", {"lead_ids": [str(leads[0])]}, status=409)
    await sandbox.change_source(SOURCE, token=TOKEN)
    await service.call("PUT", "/api/clay/config", good)

    await sandbox.kill()
    assert (await service.call("POST", "/api/clay/test"))["cause"] == "network_error"
    assert (await push_without_sandbox(service, [service_lead, leads.pop()]))["causes"][0]["cause"] == "network_error"
    await sandbox.start()

    await service.call("PUT", "/api/clay/config", {"rate_limit_ms": 5000})
    slow = await service.push([leads.pop() for _ in range(5)])
    await service.call("POST", f"/api/clay/jobs/{slow['job_id']}/cancel")
    await service.call("PUT", "/api/clay/config", {"rate_limit_ms": 0})

    await stored_where_it_may_not_be_sent(service)
    blocked = await service.ended((await service.push([leads.pop()]))["job_id"])
    assert blocked["causes"][0]["cause"] == "blocked"
    assert (await service.call("POST", "/api/clay/test"))["cause"] == "blocked"
    await service.call("PUT", "/api/clay/config", good)

    await service.host.execute("UPDATE clay.destination_versions SET sealed_url = substring(sealed_url FOR 60)")
    unreadable = await service.ended((await service.push([leads.pop()]))["job_id"])
    assert unreadable["causes"][0]["cause"] == "secret_unreadable"
    await service.call("PUT", "/api/clay/config", good)

    await service.call("POST", "/api/clay/push", {"lead_ids": [EMAIL]}, status=422)
    await service.call("POST", "/api/clay/push", {"lead_ids": [str(UUID(int=1))]}, status=404)
    await service.api.request("POST", "/api/clay/push", content=b"{" + TOKEN.encode(), headers=service.as_user())
    await service.call("GET", f"/api/clay/jobs?cursor={TOKEN}", status=400)
    await service.call("POST", "/api/clay/erasures", {"lead_ids": [str(service_lead)]})
    await service.call("GET", "/api/clay/audit?limit=200")
    for path in (
        "/api/clay/status",
        "/api/clay/config",
        "/api/clay/jobs",
        "/status",
        "/metrics",
        "/healthz",
        "/readyz",
    ):
        await service.api.get(path, headers=service.as_user())
    await service.call("DELETE", "/api/clay/config")
    await through_nexusleads(service, url, leads)


async def through_nexusleads(service: Stage, url: str, leads: list[UUID]) -> None:
    """Its own frontend's calls, and the setting that it keeps in clear, which we take over."""
    await service.call("PUT", "/api/integrations/clay/config", {"webhook_url": BAD_URL}, status=422)
    await service.call("PUT", "/api/integrations/clay/config", {"webhook_url": url})
    await service.call("POST", "/api/integrations/clay/test")
    await service.call("POST", "/api/integrations/clay/push", {"contributor_ids": [str(leads.pop())]})
    for path in ("clay/config", "clay/stats", "clay/activity?limit=20", "status"):
        await service.call("GET", f"/api/integrations/{path}")
    await service.call("DELETE", "/api/clay/config")
    [org] = await service.host.fetch("SELECT org_id FROM clay.destinations")
    await service.host.execute(
        "INSERT INTO org_settings (org_id, key, value) VALUES ($1, 'CLAY_WEBHOOK_URL', $2)"
        " ON CONFLICT (org_id, key) DO UPDATE SET value = excluded.value",
        org["org_id"], url,
    )  # fmt: skip
    assert (await service.call("GET", "/api/clay/config"))["configured"]
    job = await service.ended((await service.push([leads.pop()]))["job_id"])
    assert job["lead_count"] == 1


async def push_without_sandbox(service: Stage, lead_ids: list[UUID]) -> Any:
    return await service.ended((await service.push(lead_ids, push_again=True))["job_id"])


async def stored_where_it_may_not_be_sent(service: Stage) -> None:
    """As if it had been saved under another policy."""
    [row] = await service.host.fetch("SELECT org_id, version_id FROM clay.destinations")
    box = SecretBox(service.settings.encryption_keys)
    await service.host.execute(
        "UPDATE clay.destination_versions SET sealed_url = $1 WHERE id = $2",
        box.seal(BAD_URL, row["org_id"], row["version_id"]),
        row["version_id"],
    )


async def test_no_secret_and_no_email_is_said_or_stored_anywhere(
    database_url: str, tmp_path: Path, api_log: io.StringIO
) -> None:
    key = generate_key()
    heard = Heard()
    async with stage(
        database_url, tmp_path, encryption_keys=(key,), log_level="DEBUG", ops_open=True, request_timeout_seconds=1.0
    ) as service:
        await service.host.execute(
            "UPDATE members SET email = $1, full_name = $2 WHERE id = $3", EMAIL, NAME, service.project.lead_ids[0]
        )
        database = Database(database_url, pool_size=1)
        try:
            await everything_that_can_happen(service, heard)
            stored = await dump(database)
        finally:
            await database.close()
        code, _ = await service.workers[0].terminate()
        assert code == 0
        assert await arrived(service), "the canaries were there to be told"
    worker_log = (tmp_path / "worker.log").read_text()
    assert worker_log.count("delivery.attempted") > 20
    assert '"level": "debug"' in api_log.getvalue(), "it says all it can"
    silent = {
        "the API's log": api_log.getvalue(),
        "the worker's log": worker_log,
        "our schema and the queue": stored,
        "metrics": generate_latest().decode(),
    }
    secrets = (*CANARIES, key.partition(":")[2])
    for where, said in silent.items():
        for secret in secrets:
            assert secret not in said, f"{where} tells {secret}"
            assert secret.encode().hex() not in said, f"{where} tells {secret} as hexadecimals"
    assert len(heard.answers) > 80
    for asked, answer in heard.answers:
        for secret in secrets:
            if secret == EMAIL and SHOWS_LEADS.match(asked):
                continue
            assert secret not in answer, f"{asked} tells {secret}"
    assert NAME not in stored, "erased"


async def arrived(service: Stage) -> bool:
    rows = await service.sandbox.rows(SOURCE)
    return any(isinstance(row["body"], dict) and row["body"]["email"] == EMAIL for row in rows)
