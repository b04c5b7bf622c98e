"""An erasure also covers enrichment: unfinished items end, ids are replaced, and a later result is not stored."""

import asyncio
from pathlib import Path

from clay_push_service.callers.actor import Actor
from clay_push_service.enrichment.jobs.accept import EnrichRequest
from clay_push_service.enrichment.jobs.service import EnrichmentService
from clay_push_service.enrichment.ledger.states import LegalBasis
from clay_push_service.enrichment.settings.kinds import Kind
from tests.enrichment.jobs.enriching import enriching
from tests.support.dump import dump

WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_an_erasure_ends_live_items_and_leaves_no_id_and_no_value(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=4) as app:
        await app.plan(run_seconds=60)
        done = await app.enrich(app.lead_ids[:1])
        await app.start()
        await app.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
        await app.poll()
        requested = await app.enrich(app.lead_ids[1:3])
        await app.start()
        queued = await app.enrich(app.lead_ids[3:])
        erased = [app.lead_ids[0], app.lead_ids[1], app.lead_ids[3]]
        await app.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(each) for each in erased]}, status=201)
        assert await app.outcomes(done["job_id"]) == {("found", None): 1}
        assert await app.outcomes(requested["job_id"]) == {("expired", "erased"): 1, (None, None): 1}
        assert await app.outcomes(queued["job_id"]) == {("skipped", "erased"): 1}
        await app.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
        await app.work()
        stored = (await dump(app.api.database)).casefold()
        for lead_id in erased:
            assert str(lead_id) not in stored
        for name in ("ada.number0", "ada.number1", "ada.number3"):
            assert name not in stored
        assert await app.value(app.lead_ids[2]) == "ada.number2@example.com"
        refused = await app.enrich(erased, status=404)
        assert refused["code"] == "lead_not_found"
        await app.check_totals()


async def test_an_erasure_waits_for_a_request_that_is_being_accepted(database_url: str, tmp_path: Path) -> None:
    """Otherwise the request stores the lead's id after the erasure has replaced it everywhere."""
    async with enriching(database_url, tmp_path, leads=1) as app:
        [lead_id] = app.lead_ids
        async with app.api.database.transaction() as connection:
            tables = await app.context.host.tables(connection)
            actor = Actor(app.api.org_id, "user:member")
            service = EnrichmentService(connection, tables, app.context.settings, app.context.box, actor)
            accepted = await service.enrich(EnrichRequest([lead_id], Kind.EMAIL, LegalBasis.CONSENT))
            body = {"lead_ids": [str(lead_id)]}
            erasure = asyncio.create_task(app.api.call("POST", "/api/clay/erasures", body, status=201))
            while not erasure.done() and not await app.api.installation.fetch(WAITS):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
        await erasure
        assert str(lead_id) not in (await dump(app.api.database)).casefold()
        assert await app.outcomes(str(accepted.job_id)) == {("skipped", "erased"): 1}
        await app.work()
        assert (await app.clay())["items"] == 0
