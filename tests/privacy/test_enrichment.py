"""An erasure also covers enrichment: unfinished items end, ids are replaced, and a later result is not stored."""

from pathlib import Path

from tests.enrichment.jobs.enriching import enriching
from tests.support.dump import dump


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
