"""The quality of enrichment: success, gaps, confidence and credits per found value, as JSON and CSV."""

from pathlib import Path

from tests.enrichment.jobs.enriching import enriching

QUALITY = "/api/clay/enrichment/quality"


async def test_quality_counts_what_was_requested_from_clay(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=4) as made:
        first, second, third, fourth = made.lead_ids
        await made.plan(
            routines={"full": {"outputs": {"Work Email": "a@example.com", "Job Title": "CTO", "Confidence": 80}}}
        )
        await made.enrich([first, second], kind="full")
        await made.work()
        await made.plan(oddities={"empty": 1.0})
        await made.enrich([third], kind="full")
        await made.work()
        await made.plan(credits=0)
        await made.enrich([fourth])
        await made.work()
        found = await made.api.call("GET", QUALITY, who="member")
        [kind] = found["kinds"]
        assert (kind["kind"], kind["lead_count"], kind["partial_count"], kind["nothing_count"]) == ("full", 3, 2, 1)
        assert (kind["success_percent"], kind["credits"], kind["credits_per_value"]) == (66.7, 30, 7.5)
        fields = {
            each["field"]: (each["found_count"], each["not_found_count"], each["gap_percent"])
            for each in found["fields"]
        }
        assert fields == {"email": (2, 1, 33.3), "job_title": (2, 1, 33.3), "phone": (0, 3, 100)}
        [week] = found["weeks"]
        assert (week["value_count"], week["with_confidence_count"], week["mean_confidence"]) == (4, 4, 80)
        other = await made.api.host.project(made.api.org_id)
        assert (await made.api.call("GET", f"{QUALITY}?project_id={other}"))["kinds"] == []
        answer = await made.api.get(f"{QUALITY}.csv", "member")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        lines = answer.text.splitlines()
        assert "routine,full routine,credits_per_value,7.5" in lines
        assert "field,phone,gap_percent,100.0" in lines
