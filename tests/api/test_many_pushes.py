"""One organization sends many concurrent pushes: none fails, reads of others succeed, and memory stays within a bound."""

import asyncio
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import httpx

from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from tests.harness.installation import Installation, install
from tests.harness.served import served

PUSHES = 24
IDS = 50_000
LEADS = 2_000
"""Each lead occurs 25 times. The ids must be read, parsed and looked up."""
MEGABYTE = 1_000_000


async def headers_of(w: Installation, org_id: UUID) -> dict[str, str]:
    async with w.database.transaction() as connection:
        key = await create_key(connection, "busy", [org_id], {Scope.READ, Scope.PUSH}, "test")
    return {"Authorization": f"Bearer {key.plain}"}


async def test_24_concurrent_pushes_give_no_503_and_reads_of_others_succeed(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=LEADS) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234")
        ids = [str(each) for each in w.lead_ids]
        body = {"lead_ids": ids * (IDS // LEADS), "project_id": str(w.project_id)}
        own, other = await headers_of(w, w.org_id), await headers_of(w, uuid4())
        async with (
            served(w.settings, tmp_path) as service,
            httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=120) as client,
        ):
            assert (await client.get("/api/clay/jobs", headers=other)).status_code == 200
            before = service.resident_bytes
            pushes = [asyncio.create_task(client.post("/api/clay/push", json=body, headers=own)) for _ in range(PUSHES)]
            reads: Counter[int] = Counter()
            most = before
            while not all(push.done() for push in pushes):
                reads[(await client.get("/api/clay/jobs", headers=other)).status_code] += 1
                most = max(most, service.resident_bytes)
            answers = [await push for push in pushes]
            found = Counter(answer.status_code for answer in answers)
            assert set(found) <= {202, 429}, [answer.text for answer in answers if answer.status_code >= 500]
            assert found[202] >= 2
            for answer in answers:
                if answer.status_code == 429:
                    assert answer.json()["code"] == "too_many_requests"
                    assert int(answer.headers["retry-after"]) > 0
            assert set(reads) == {200}
            assert reads[200] >= 5, "requests of other organizations waited for the pushes"
            assert most - before < 150 * MEGABYTE
