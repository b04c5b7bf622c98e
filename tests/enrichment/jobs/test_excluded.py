"""Exclusions come before every enrichment: when it is requested, and again when its run starts."""

from pathlib import Path

from tests.enrichment.jobs.enriching import BASIS, enriching


async def test_excluded_leads_are_not_requested_from_clay(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=3) as made:
        first, second, third = made.lead_ids

        async def exclude(lead_id: object) -> None:
            body = {"lead_id": str(lead_id), "reason": "asked us to stop"}
            await made.api.call("POST", "/api/clay/exclusions", body, status=201)

        await exclude(first)
        job = await made.enrich(again=True)
        assert (job["lead_count"], job["skipped_count"]) == (3, 1)
        await exclude(third)
        await made.work()
        outcomes = await made.outcomes(job["job_id"])
        assert outcomes == {("found", None): 1, ("skipped", "excluded"): 2}
        [run] = await made.clay_runs()
        assert len(run["items"]) == 1
        path = f"/api/clay/leads/{first}/enrich"
        by_hand = await made.api.call("POST", path, {"kind": "email", "basis": BASIS}, status=202)
        assert await made.outcomes(by_hand["job_id"]) == {("skipped", "excluded"): 1}
        assert await made.value(second) is not None
