"""The application with leads over a sandbox, and functions to enrich leads and to run what a worker does, without its waits."""

import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.enrichment.runs.adopt import adopt_reported
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.poll import poll_next
from clay_push_service.enrichment.runs.start import start_next
from clay_push_service.enrichment.runs.sweep import sweep
from tests.enrichment.conftest import CONFIG, KEY
from tests.harness.api import Api, run_local_api
from tests.support.sandbox import Json, SandboxProcess

JOBS = "/api/clay/enrichment/jobs"
BASIS = "legitimate_interest"
WEBHOOK_SECRET = "whsec_of_the_tests_0123456789"
INPUTS = {"Full Name": "full_name", "Company Name": "company_name"}
ROUTINES: Mapping[str, Any] = {
    "email": {"routine_id": "email", "inputs": INPUTS, "outputs": {"email": "Work Email"}},
    "full": {
        "routine_id": "full",
        "inputs": INPUTS,
        "outputs": {"email": "Work Email", "job_title": "Job Title", "phone": "Phone", "confidence": "Confidence"},
    },
}


@dataclass
class Enriching:
    api: Api
    sandbox: SandboxProcess
    context: EnrichmentContext
    report_path: str = ""

    @property
    def lead_ids(self) -> Sequence[UUID]:
        return self.api.lead_ids

    async def plan(self, **fields: Json) -> None:
        """Replace the behaviour of the sandbox's API."""
        response = await self.sandbox.admin.put("/sandbox/api", json=fields)
        assert response.is_success, response.text

    async def clay(self) -> dict[str, Any]:
        state: dict[str, Any] = (await self.sandbox.admin.get("/sandbox/api")).json()
        return state

    async def save(self, **fields: object) -> Any:
        return await self.api.call("PUT", CONFIG, fields)

    async def enrich(
        self, lead_ids: Sequence[UUID] | None = None, *, kind: str = "email", status: int = 202, **body: object
    ) -> Any:
        """The response of the API; all leads without `lead_ids`."""
        ids = [str(each) for each in (self.lead_ids if lead_ids is None else lead_ids)]
        sent = {"lead_ids": ids, "kind": kind, "basis": BASIS} | body
        return await self.api.call("POST", "/api/clay/enrich", sent, who="member", status=status)

    async def start(self) -> float | None:
        """Start one run, as a worker does."""
        await self.api.installation.fetch("UPDATE clay.enrichment_items SET due_at = now() WHERE state = 'queued'")
        return await start_next(self.context, self.api.org_id)

    async def poll(self) -> float | None:
        """Poll one run, as a worker does."""
        await self.api.installation.fetch(
            "UPDATE clay.enrichment_runs SET next_poll_at = now() WHERE state = 'running'"
        )
        return await poll_next(self.context, self.api.org_id)

    async def work(self, rounds: int = 20) -> None:
        """Start and poll until nothing is queued and no run is running, at most `rounds` times."""
        for _ in range(rounds):
            if [await self.start(), await self.poll()] == [None, None]:
                return

    async def watch_runs(self) -> None:
        """Set the webhook of finished runs."""
        saved = await self.save(run_webhook={"id": "wh_1", "secret": WEBHOOK_SECRET})
        self.report_path = saved["run_webhook"]["path"]

    async def report(self, run_id: str, secret: str = WEBHOOK_SECRET, *, status: int = 200) -> Any:
        """Send the event of a finished run, as Clay does."""
        body = json.dumps(
            {"webhookId": "wh_1", "createdAt": "2026-11-30T09:00:00Z", "data": {"routine_run_id": run_id}}
        )
        return await self.report_body(body.encode(), secret, status=status)

    async def report_body(self, body: bytes, secret: str = WEBHOOK_SECRET, *, status: int = 200) -> Any:
        signature = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "X-Clay-Signature": signature}
        answer = await self.api.http.post(self.report_path, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def clay_runs(self) -> list[Any]:
        """The runs that the sandbox has started, oldest first."""
        found: list[Any] = (await self.sandbox.admin.get("/sandbox/api/runs")).json()["runs"]
        return found[::-1]

    async def adopt(self) -> int:
        """Read reported runs, as a worker does."""
        await self.api.installation.fetch("UPDATE clay.enrichment_run_reports SET next_try_at = now()")
        return await adopt_reported(self.context, self.api.org_id)

    async def sweep(self) -> None:
        await sweep(self.context.database)

    async def expire_deadlines(self, **interval: int) -> None:
        """Move every deadline and lease into the past, as if so much time had passed."""
        [[unit, number]] = interval.items()
        await self.api.installation.fetch(f"""
            UPDATE clay.enrichment_items SET deadline_at = deadline_at - interval '{number} {unit}'""")
        await self.api.installation.fetch(f"""
            UPDATE clay.enrichment_runs SET lease_until = lease_until - interval '{number} {unit}',
                complete_at = complete_at - interval '{number} {unit}', expires_at = expires_at - interval '{number} {unit}'""")

    async def job(self, job_id: str) -> Any:
        return await self.api.call("GET", f"{JOBS}/{job_id}", who="member")

    async def items(self, job_id: str) -> list[Any]:
        found: list[Any] = (await self.api.call("GET", f"{JOBS}/{job_id}/items", who="member"))["items"]
        return found

    async def outcomes(self, job_id: str) -> Counter[tuple[str | None, str | None]]:
        return Counter((each["outcome"], each["cause"]) for each in await self.items(job_id))

    async def runs(self) -> list[Any]:
        return await self.api.installation.fetch("SELECT * FROM clay.enrichment_runs ORDER BY started_at")

    async def value(self, lead_id: UUID, field: str = "email") -> Any:
        lead = await self.api.call("GET", f"/api/clay/leads/{lead_id}/enrichment")
        current = next(each for each in lead["fields"] if each["field"] == field)["current"]
        return None if current is None else current["value"]

    async def check_totals(self) -> None:
        """Counts equal rows, costs equal the sum, and nothing was started twice."""
        for row in await self.api.installation.fetch("""
            SELECT job.*, (SELECT count(*) FROM clay.enrichment_items WHERE job_id = job.id) AS items,
                   (SELECT sum(credits) FROM clay.enrichment_items WHERE job_id = job.id) AS item_credits,
                   (SELECT sum(actions) FROM clay.enrichment_items WHERE job_id = job.id) AS item_actions
            FROM clay.enrichment_jobs AS job"""):
            outcomes = await self.outcomes(str(row.id))
            by_outcome: Counter[str | None] = Counter()
            for (outcome, _), count in outcomes.items():
                by_outcome[outcome] += count
            counted = {
                name: getattr(row, f"{name}_count")
                for name in ("found", "partial", "nothing", "failed", "expired", "skipped", "cancelled")
            }
            assert counted == {name: by_outcome[name] for name in counted}
            assert (row.lead_count, row.credits, row.actions) == (row.items, row.item_credits, row.item_actions)
        assert (await self.clay())["repeated_items"] == 0


@asynccontextmanager
async def enriching(
    database_url: str, directory: Path, *, leads: int = 3, settings: Mapping[str, object] | None = None, **changes: Any
) -> AsyncIterator[Enriching]:
    """Two routines and a key are saved; `settings`: further enrichment settings. `changes`: of the installation's settings."""
    async with SandboxProcess(directory) as sandbox:
        values: dict[str, Any] = {
            "clay_api_url": f"{sandbox.url}/public/v0",
            "allowed_webhook_hosts": f"clay.com,*.clay.com,127.0.0.1:{sandbox.port}",
        }
        async with run_local_api(database_url, **(values | changes)) as api:
            installation = api.installation
            installation.project_id = await installation.host.project(installation.org_id)
            installation.lead_ids = [
                await installation.host.lead(
                    installation.project_id, full_name=f"Ada Number{n}", company=f"Company {n}", email=None
                )
                for n in range(leads)
            ]
            client = ClayClient.create(installation.settings)
            try:
                context = EnrichmentContext.create(
                    installation.database,
                    installation.host_tables,
                    client,
                    installation.secret_box,
                    installation.settings,
                    api.app.state.clock,
                )
                enriching_ = Enriching(api, sandbox, context)
                body = {"api_key": KEY, "requests_per_minute": 10_000, "routines": ROUTINES} | dict(settings or {})
                await enriching_.save(**body)
                yield enriching_
            finally:
                await client.close()
