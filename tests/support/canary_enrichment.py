"""Enriches the canary's lead with a worker: a job, its leads and events, and the signed report of a finished run."""

import asyncio
import hmac
import json
from uuid import UUID

from tests.harness.api import FINISHED, Api
from tests.support.canary import RUN_SECRET

JOBS = "/api/clay/enrichment/jobs"


async def enrich_canary(api: Api, lead_id: UUID) -> None:
    """Run a job with a refused lead, a job that finds values, and events with valid and invalid signatures."""
    saved = await api.call("PUT", "/api/clay/enrichment/config", {"run_webhook": {"id": "wh_1", "secret": RUN_SECRET}})
    body = {"lead_ids": [str(lead_id)], "kind": "full", "basis": "consent"}
    await api.call("POST", "/api/clay/enrich", body | {"basis": RUN_SECRET}, status=422)
    job = await api.call("POST", "/api/clay/enrich", body)
    path = f"{JOBS}/{job['job_id']}"
    async with asyncio.timeout(60):
        while (await api.call("GET", path))["status"] not in FINISHED:  # noqa: ASYNC110 - the worker is another process
            await asyncio.sleep(0.1)
    [item] = (await api.call("GET", f"{path}/items"))["items"]
    assert item["found"] == ["email"], item
    await api.http.get(f"{path}/events", headers=api.headers())
    event = json.dumps({"webhookId": "wh_1", "data": {"routine_run_id": "rr_unknown"}}).encode()
    for secret, status in ((RUN_SECRET, 200), (RUN_SECRET + "x", 401)):
        signature = "sha256=" + hmac.new(secret.encode(), event, "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "X-Clay-Signature": signature}
        answer = await api.http.post(saved["run_webhook"]["path"], content=event, headers=headers)
        assert answer.status_code == status, answer.text
