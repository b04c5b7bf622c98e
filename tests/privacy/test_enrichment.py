"""An erasure reaches enrichment: live items end, ids are replaced, and a result that arrives later is not stored."""

from pathlib import Path

from tests.enrichment.jobs.enriching import enriching
from tests.support.dump import dump


async def test_an_erasure_ends_live_items_and_leaves_no_id_and_no_value(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=4) as made:
        await made.plan(run_seconds=60)
        done = await made.enrich(made.lead_ids[:1])
        await made.start()
        await made.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
        await made.poll()
        requested = await made.enrich(made.lead_ids[1:3])
        await made.start()
        queued = await made.enrich(made.lead_ids[3:])
        erased = [made.lead_ids[0], made.lead_ids[1], made.lead_ids[3]]
        await made.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(each) for each in erased]}, status=201)
        assert await made.outcomes(done["job_id"]) == {("found", None): 1}
        assert await made.outcomes(requested["job_id"]) == {("expired", "erased"): 1, (None, None): 1}
        assert await made.outcomes(queued["job_id"]) == {("skipped", "erased"): 1}
        await made.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
        await made.work()
        stored = (await dump(made.api.database)).casefold()
        for lead_id in erased:
            assert str(lead_id) not in stored
        for name in ("ada.number0", "ada.number1", "ada.number3"):
            assert name not in stored
        assert await made.value(made.lead_ids[2]) == "ada.number2@example.com"
        refused = await made.enrich(erased, status=404)
        assert refused["code"] == "lead_not_found"
        await made.account()
