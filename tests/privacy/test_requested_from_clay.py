"""The receipt of an erasure and the export of a person list the enrichments that were requested from Clay."""

from pathlib import Path

from tests.enrichment.jobs.enriching import enriching


async def test_the_receipt_lists_started_enrichments_and_not_queued_ones(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=2) as app:
        first, second = app.lead_ids
        job = await app.enrich([first])
        await app.work()
        await app.enrich([second])  # queued and not started
        [exported] = (await app.api.call("POST", "/api/clay/exports", {"lead_id": str(first)}))["kept"][
            "enrichment_items"
        ]
        assert (exported["job_id"], exported["outcome"], exported["legal_basis"]) == (
            job["job_id"], "found", "legitimate_interest",
        )  # fmt: skip
        body = {"lead_ids": [str(first), str(second)], "former_values": []}
        receipt = await app.api.call("POST", "/api/clay/erasures", body)
        requested = {each["lead_id"]: each["requested_from_clay"] for each in receipt["leads"]}
        [item] = requested[str(first)]
        assert (item["item_id"], item["kind"], item["way"], item["outcome"]) == (
            exported["id"], "email", "routine", "found",
        )  # fmt: skip
        assert requested[str(second)] == []
        again = await app.api.call("GET", f"/api/clay/erasures/{receipt['id']}")
        assert sorted(len(each["requested_from_clay"]) for each in again["leads"]) == [0, 1]
        left = await app.api.call("POST", "/api/clay/exports", {"lead_id": str(first)})
        assert [each["id"] for each in left["kept"]["enrichment_items"]] == [exported["id"]]
