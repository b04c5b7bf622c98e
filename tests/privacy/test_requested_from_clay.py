"""The receipt of an erasure and the export of a person list what was requested from Clay."""

from pathlib import Path

from tests.enrichment.jobs.enriching import enriching


async def test_the_receipt_lists_what_was_requested_and_not_what_was_only_queued(
    database_url: str, tmp_path: Path
) -> None:
    async with enriching(database_url, tmp_path, leads=2) as made:
        first, second = made.lead_ids
        job = await made.enrich([first])
        await made.work()
        await made.enrich([second])  # queued, and never started
        [exported] = (await made.api.call("POST", "/api/clay/exports", {"lead_id": str(first)}))["kept"][
            "enrichment_items"
        ]
        assert (exported["job_id"], exported["outcome"], exported["legal_basis"]) == (
            job["job_id"], "found", "legitimate_interest",
        )  # fmt: skip
        body = {"lead_ids": [str(first), str(second)], "former_values": []}
        receipt = await made.api.call("POST", "/api/clay/erasures", body)
        requested = {each["lead_id"]: each["requested_from_clay"] for each in receipt["leads"]}
        [item] = requested[str(first)]
        assert (item["item_id"], item["kind"], item["way"], item["outcome"]) == (
            exported["id"], "email", "routine", "found",
        )  # fmt: skip
        assert requested[str(second)] == []
        again = await made.api.call("GET", f"/api/clay/erasures/{receipt['id']}")
        assert sorted(len(each["requested_from_clay"]) for each in again["leads"]) == [0, 1]
        left = await made.api.call("POST", "/api/clay/exports", {"lead_id": str(first)})
        assert [each["id"] for each in left["kept"]["enrichment_items"]] == [exported["id"]]
