"""The whole round trip both ways with 50 leads and every deviation of Clay: each lead ends with values or a stated reason."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn

from clay_push_service.deliveries.invariants import verify
from clay_push_service.enrichment.inbound.applier import ResultApplier
from clay_push_service.sandbox import DEFAULT_SOURCE
from tests.enrichment.conftest import KEY, TEST
from tests.enrichment.jobs.enriching import Enriching, enriching

LEADS = 50


@asynccontextmanager
async def listening(app: Enriching) -> AsyncIterator[str]:
    """The application of the test on a port, for the calls of the sandbox."""
    server = uvicorn.Server(uvicorn.Config(app.api.app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def by_routine(app: Enriching) -> str:
    """Throttled, slow, lost reads, missing, failed, empty and pending items, keys in another case."""
    await app.plan(
        run_seconds=30,
        deviations={"seed": 3, "other_case": True, "numbers_as_strings": True, "missing_items": 0.1, "unknown_status": 0.1,
                  "failed": 0.1, "empty": 0.2},
        faults={
            "run": {"rules": [{"kind": "status", "status": 429, "retry_after": "1", "next": 1}, {"kind": "slow", "ms": 200}]},
            "results": {"rules": [{"kind": "status", "status": 503, "next": 1}, {"kind": "reset_after", "next": 1},
                                  {"kind": "status", "status": 429, "retry_after": "1", "next": 1}]},
        },
    )  # fmt: skip
    job_id = str((await app.enrich(kind="full"))["job_id"])
    await app.start()
    await app.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
    await app.start()
    await app.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 31})
    for _ in range(8):
        await app.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
        await app.poll()
    await app.expire_deadlines(minutes=16)
    await app.poll()
    await app.expire_deadlines(hours=24)
    await app.sweep()
    return job_id


async def by_table(app: Enriching) -> str:
    """Lost, doubled, foreign and empty callbacks, with keys in another case and numbers as strings."""
    webhook = {"webhook_url": app.sandbox.webhook_url(), "table_name": "Leads", "rate_limit_ms": 0}
    await app.api.call("PUT", "/api/clay/config", webhook)
    await app.sandbox.limit(rate=None)
    token = await app.api.call("POST", "/api/clay/results-tokens", status=201)
    async with listening(app) as url:
        plan = {
            "url": url + token["path"], "headers": {"Authorization": f"Bearer {token['token']}"}, "seed": 5, "lost": 0.2,
            "doubled": 0.3, "foreign": 0.1, "empty": 0.1, "other_case": True, "numbers_as_strings": True,
        }  # fmt: skip
        path = f"/sandbox/sources/{DEFAULT_SOURCE}/callbacks"
        assert (await app.sandbox.admin.put(path, json=plan)).is_success
        job_id = str((await app.enrich(kind="full", way="table", again=True))["job_id"])
        await app.api.drain()
        applier = ResultApplier(app.api.database, app.api.app.state.host, app.api.app.state.box)
        quiet = 0
        async with asyncio.timeout(60):
            while quiet < 20:
                quiet = 0 if await applier.run_pass() else quiet + 1
                await asyncio.sleep(0.05)
    await app.expire_deadlines(hours=3)
    await app.sweep()
    return job_id


@pytest.mark.timeout(240)
async def test_50_leads_both_ways_end_with_values_or_a_named_reason(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=LEADS) as app:
        routine = await app.outcomes(await by_routine(app))
        assert routine.total() == LEADS
        assert {("found", None), ("nothing", "no_data"), ("failed", "item_failed"), ("expired", "missing_result"),
                ("expired", "still_running")} == set(routine)  # fmt: skip
        await app.check_totals()

        await app.plan(credits=0)
        no_credits = await app.outcomes(await accepted(app))
        assert no_credits == {("failed", "insufficient_credits"): LEADS}
        await app.plan(keys=["another"])
        refused = await app.outcomes(await accepted(app))
        assert refused == {("failed", "invalid_credentials"): LEADS}
        await app.plan(keys=[KEY])
        assert (await app.api.call("POST", TEST, {"kind": "email"}))["stages"][0]["status"] == "passed"

        table = await app.outcomes(await by_table(app))
        assert table.total() == LEADS
        assert {("found", None), ("nothing", "no_data"), ("expired", "no_answer")} == set(table)
        unmatched = await app.api.installation.fetch("SELECT 1 FROM clay.inbound_results WHERE state = 'unmatched'")
        assert unmatched, "foreign ids are kept in quarantine"
        for row in await app.api.installation.fetch(
            "SELECT DISTINCT lead_id FROM clay.enrichment_items WHERE outcome = 'found'"
        ):
            assert await app.value(row.lead_id) is not None
        await app.check_totals()
        async with app.api.owner.transaction() as connection:
            assert await verify(connection, timedelta(0)) == []


async def accepted(app: Enriching) -> str:
    job_id = str((await app.enrich(kind="full", again=True))["job_id"])
    await app.start()
    return job_id
