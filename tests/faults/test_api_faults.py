"""The API while its database fails: each request takes effect once, and event streams continue."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.harness.databases import TestServer
from tests.harness.service import Service, run_service

REQUESTS = 8
CUT_LISTENERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'clay-push-listen' AND datname = current_database()
"""
"""Run with a connection of the same role, because another role may not end the connections."""
LEADS_EACH = 10


async def _ask_until_accepted(service: Service, number: int) -> tuple[str, Counter[int]]:
    """Repeat the request with the same idempotency key after a 503 or a lost response, as a client does. Returns the job."""
    lead_ids = service.lead_ids[number * LEADS_EACH :][:LEADS_EACH]
    body = {"lead_ids": [str(each) for each in lead_ids], "project_id": str(service.project_id)}
    answers: Counter[int] = Counter()
    async with asyncio.timeout(60):
        while True:
            answer = await service.api.http.post(
                "/api/clay/push", json=body, headers=service.api.headers() | {"Idempotency-Key": f"request-{number}"}
            )
            answers[answer.status_code] += 1
            if answer.status_code == 503:
                assert answer.json()["code"] == "database_unavailable", answer.text
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code == 202, answer.text
            return str(answer.json()["job_id"]), answers


async def test_pushes_requested_during_a_restart_of_postgresql_are_accepted_once(
    database_url: str, tmp_path: Path, postgres: TestServer
) -> None:
    server = postgres.embedded
    if server is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with run_service(database_url, tmp_path) as service:
        await service.configure()
        await asyncio.to_thread(server.stop, "immediate")
        requests = [asyncio.create_task(_ask_until_accepted(service, number)) for number in range(REQUESTS // 2)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start_again)
        requests += [
            asyncio.create_task(_ask_until_accepted(service, number)) for number in range(REQUESTS // 2, REQUESTS)
        ]
        await asyncio.sleep(0.02)
        await asyncio.to_thread(server.stop, "immediate")
        await asyncio.to_thread(server.start_again)
        accepted = await asyncio.gather(*requests)
        assert sum((answers for _, answers in accepted), Counter())[503] >= REQUESTS // 2, (
            "too few requests were sent during the restart"
        )
        assert len({job_id for job_id, _ in accepted}) == REQUESTS
        for number, (job_id, _) in enumerate(accepted):
            assert (await _ask_until_accepted(service, number))[0] == job_id, (
                "a repeated request must return the same push job"
            )
            job = await service.api.finished(job_id, 60.0)
            assert job["lead_count"] == LEADS_EACH == job["success_count"] + job["failed_count"]
            assert job["failed_count"] == job["unknown_count"], "leads may fail only as unknown"
        jobs = await service.api.call("GET", "/api/clay/jobs?limit=100")
        assert len(jobs["jobs"]) == REQUESTS
        assert (await service.sandbox.counts())["repeated_leads"] == 0


async def test_an_event_stream_shows_the_end_of_its_job_although_the_listen_connection_is_lost(
    database_url: str, tmp_path: Path
) -> None:
    async with run_service(database_url, tmp_path) as service:
        await service.configure(rate_limit_ms=50)
        answer = await service.api.push(list(service.lead_ids[:80]))
        watching = asyncio.create_task(
            service.api.http.get(f"/api/clay/jobs/{answer['job_id']}/events", headers=service.api.headers())
        )
        same_role = await asyncpg.connect(service.settings.database_url)
        for _ in range(2):  # the service listens again on a new connection
            async with asyncio.timeout(60):
                while not await same_role.fetchval(CUT_LISTENERS):  # noqa: ASYNC110 - the server has no event
                    await asyncio.sleep(0.05)
        await same_role.close()
        job = await service.api.finished(answer["job_id"], 60.0)
        response = await asyncio.wait_for(watching, 60.0)
        snapshots = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
        assert (snapshots[-1]["status"], snapshots[-1]["success_count"]) == ("completed", job["success_count"])
        done = [snapshot["success_count"] for snapshot in snapshots]
        assert done == sorted(done)
        assert len(set(done)) >= 4, done
