"""What users do while the start of a run is in flight: its response must not undo a cancellation or an erasure."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from clay_push_service.clay.routines_body import RunItem
from clay_push_service.clay.routines_client import ApiKey, RoutinesClient, RunStarted
from clay_push_service.clay.routines_outcome import ApiFailure
from clay_push_service.enrichment.jobs import accept
from clay_push_service.enrichment.runs.start import start_next
from tests.enrichment.jobs.enriching import JOBS, Enriching, enriching
from tests.support.sandbox import Json

WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@dataclass(frozen=True)
class DelayedClient(RoutinesClient):
    """Returns the response to a start only when `released` is set."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def start_run(
        self, key: ApiKey, routine_id: str, items: Sequence[RunItem], webhook_id: str | None = None
    ) -> RunStarted | ApiFailure:
        response = await super().start_run(key, routine_id, items, webhook_id)
        self.arrived.set()
        await self.released.wait()
        return response


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    async with enriching(database_url, tmp_path) as app:
        yield app


@asynccontextmanager
async def start_in_flight(app: Enriching, fault: dict[str, Json]) -> AsyncIterator[str]:
    """Within the block, Clay has responded to the start of a job, and the response is not recorded. Yields the job."""
    await app.plan(faults={"run": {"rules": [fault | {"next": 1}]}})
    job = await app.enrich()
    client = app.context.client
    delayed = DelayedClient(client.client, client.base_url, client.policy, client.now)
    app.context.client = delayed
    start = asyncio.create_task(start_next(app.context, app.api.org_id))
    try:
        await delayed.arrived.wait()
        yield job["job_id"]
    finally:
        delayed.released.set()
        await start
        app.context.client = client


async def test_a_job_that_was_cancelled_is_not_started_again_after_a_429(ready: Enriching) -> None:
    async with start_in_flight(ready, {"kind": "status", "status": 429, "retry_after": "1"}) as job_id:
        answer = await ready.api.call("POST", f"{JOBS}/{job_id}/cancel", who="member")
        assert (answer["cancelled_count"], answer["requested_count"]) == (0, 3)
    await ready.api.installation.fetch("UPDATE clay.enrichment_settings SET next_request_at = now()")
    await ready.work()
    assert await ready.outcomes(job_id) == {("cancelled", "cancelled"): 3}
    assert (await ready.job(job_id))["status"] == "cancelled"
    assert (await ready.clay())["items"] == 0, "Clay must not receive the leads of a cancelled job"
    await ready.check_totals()


@pytest.mark.parametrize("kind", ["reset_after", "status"])
async def test_a_held_run_of_erased_leads_ends(ready: Enriching, kind: str) -> None:
    async with start_in_flight(ready, {"kind": kind, "status": 503}) as job_id:
        await ready.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(each) for each in ready.lead_ids]})
    assert await ready.outcomes(job_id) == {("expired", "erased"): 3}
    assert [run.state for run in await ready.runs()] == ["ended"], "no item is left that a result could adopt"


async def test_a_refused_key_locks_all_jobs_in_the_order_of_their_ids(
    ready: Enriching, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locking the queued jobs first and then the job of the run deadlocks with other transactions."""
    first, last = UUID(int=1), UUID(int=2)
    ids = iter([last, first])
    monkeypatch.setattr(accept, "uuid4", lambda: next(ids))
    await ready.enrich(ready.lead_ids[2:], kind="full")
    await ready.api.installation.fetch("UPDATE clay.enrichment_items SET due_at = now() + interval '1 hour'")
    holder, looker = [await asyncpg.connect(database_url) for _ in range(2)]
    try:
        async with start_in_flight(ready, {"kind": "status", "status": 401}) as job_id:
            assert job_id == str(first)
            await holder.execute("BEGIN")
            await holder.execute("SELECT 1 FROM clay.enrichment_jobs WHERE id = $1 FOR UPDATE", first)
            ready.context.client.released.set()  # type: ignore[attr-defined]  # the client of `start_in_flight`
            while not await looker.fetch(WAITS):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
            free = "SELECT 1 FROM clay.enrichment_jobs WHERE id = $1 FOR UPDATE SKIP LOCKED"
            found = await looker.fetch(free, last)
            await holder.execute("ROLLBACK")
        assert found, "it holds the later job and waits for the earlier one"
    finally:
        await holder.close()
        await looker.close()
    assert await ready.outcomes(str(last)) == {("failed", "invalid_credentials"): 1}
