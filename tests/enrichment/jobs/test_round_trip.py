"""The whole round trip both ways with 50 leads and every oddity of Clay: each lead ends with values or a named reason."""

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
async def listening(made: Enriching) -> AsyncIterator[str]:
    """The application of the test on a port, for the calls of the sandbox."""
    server = uvicorn.Server(uvicorn.Config(made.api.app, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def by_routine(made: Enriching) -> str:
    """Throttled, slow, lost reads, missing, failed, empty and pending items, keys in another case."""
    await made.plan(
        run_seconds=30,
        oddities={"seed": 3, "other_case": True, "numbers_as_strings": True, "missing_items": 0.1, "unknown_status": 0.1,
                  "failed": 0.1, "empty": 0.2},
        faults={
            "run": {"rules": [{"kind": "status", "status": 429, "retry_after": "1", "next": 1}, {"kind": "slow", "ms": 200}]},
            "results": {"rules": [{"kind": "status", "status": 503, "next": 1}, {"kind": "reset_after", "next": 1},
                                  {"kind": "status", "status": 429, "retry_after": "1", "next": 1}]},
        },
    )  # fmt: skip
    job_id = str((await made.enrich(kind="full"))["job_id"])
    await made.start()
    await made.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
    await made.start()
    await made.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 31})
    for _ in range(8):
        await made.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
        await made.poll()
    await made.later(minutes=16)
    await made.poll()
    await made.later(hours=24)
    await made.sweep()
    return job_id


async def by_table(made: Enriching) -> str:
    """Lost, doubled, foreign and empty callbacks, with keys in another case and numbers as strings."""
    webhook = {"webhook_url": made.sandbox.webhook_url(), "table_name": "Leads", "rate_limit_ms": 0}
    await made.api.call("PUT", "/api/clay/config", webhook)
    await made.sandbox.limit(rate=None)
    token = await made.api.call("POST", "/api/clay/results-tokens", status=201)
    async with listening(made) as url:
        plan = {
            "url": url + token["path"], "headers": {"Authorization": f"Bearer {token['token']}"}, "seed": 5, "lost": 0.2,
            "doubled": 0.3, "foreign": 0.1, "empty": 0.1, "other_case": True, "numbers_as_strings": True,
        }  # fmt: skip
        path = f"/sandbox/sources/{DEFAULT_SOURCE}/callbacks"
        assert (await made.sandbox.admin.put(path, json=plan)).is_success
        job_id = str((await made.enrich(kind="full", way="table", again=True))["job_id"])
        await made.api.drain()
        applier = ResultApplier(made.api.database, made.api.app.state.host, made.api.app.state.box)
        quiet = 0
        async with asyncio.timeout(60):
            while quiet < 20:
                quiet = 0 if await applier.run_pass() else quiet + 1
                await asyncio.sleep(0.05)
    await made.later(hours=3)
    await made.sweep()
    return job_id


@pytest.mark.timeout(240)
async def test_50_leads_both_ways_end_with_values_or_a_named_reason(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=LEADS) as made:
        routine = await made.outcomes(await by_routine(made))
        assert routine.total() == LEADS
        assert {("found", None), ("nothing", "no_data"), ("failed", "item_failed"), ("expired", "missing_result"),
                ("expired", "still_running")} == set(routine)  # fmt: skip
        await made.account()

        await made.plan(credits=0)
        no_credits = await made.outcomes(await accepted(made))
        assert no_credits == {("failed", "insufficient_credits"): LEADS}
        await made.plan(keys=["another"])
        refused = await made.outcomes(await accepted(made))
        assert refused == {("failed", "invalid_credentials"): LEADS}
        await made.plan(keys=[KEY])
        assert (await made.api.call("POST", TEST, {"kind": "email"}))["stages"][0]["status"] == "passed"

        table = await made.outcomes(await by_table(made))
        assert table.total() == LEADS
        assert {("found", None), ("nothing", "no_data"), ("expired", "no_answer")} == set(table)
        unmatched = await made.api.installation.fetch("SELECT 1 FROM clay.inbound_results WHERE state = 'unmatched'")
        assert unmatched, "foreign ids are kept in quarantine"
        for row in await made.api.installation.fetch(
            "SELECT DISTINCT lead_id FROM clay.enrichment_items WHERE outcome = 'found'"
        ):
            assert await made.value(row.lead_id) is not None
        await made.account()
        async with made.api.owner.transaction() as connection:
            assert await verify(connection, timedelta(0)) == []


async def accepted(made: Enriching) -> str:
    job_id = str((await made.enrich(kind="full", again=True))["job_id"])
    await made.start()
    return job_id
