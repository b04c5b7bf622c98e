"""The quality of enrichment: success, gaps, confidence and credits per found value, as JSON and CSV."""

from pathlib import Path

from prometheus_client import REGISTRY

from clay_push_service import metrics
from tests.enrichment.jobs.enriching import enriching

QUALITY = "/api/clay/enrichment/quality"


async def test_quality_counts_what_was_requested_from_clay(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=4) as app:
        first, second, third, fourth = app.lead_ids
        await app.plan(
            routines={"full": {"outputs": {"Work Email": "a@example.com", "Job Title": "CTO", "Confidence": 80}}}
        )
        await app.enrich([first, second], kind="full")
        await app.work()
        await app.plan(deviations={"empty": 1.0})
        await app.enrich([third], kind="full")
        await app.work()
        await app.plan(credits=0)
        await app.enrich([fourth])
        await app.work()
        found = await app.api.call("GET", QUALITY, who="member")
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
        other = await app.api.host.project(app.api.org_id)
        assert (await app.api.call("GET", f"{QUALITY}?project_id={other}"))["kinds"] == []
        answer = await app.api.get(f"{QUALITY}.csv", "member")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        lines = answer.text.splitlines()
        assert "routine,full routine,credits_per_value,7.5" in lines
        assert "field,phone,gap_percent,100.0" in lines


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"clay_push_enrichment_{name}_total", labels) or 0.0


async def test_metrics_count_each_lead_that_ends_once_and_the_fields_of_results(
    database_url: str, tmp_path: Path
) -> None:
    ends = (("partial", "none"), ("nothing", "no_data"), ("failed", "insufficient_credits"), ("skipped", "excluded"))
    fields = (("email", "found"), ("email", "not_found"), ("phone", "not_found"))
    async with enriching(database_url, tmp_path, leads=4) as app:
        first, second, third, fourth = app.lead_ids
        before = [counted("items", end=end, cause=cause) for end, cause in ends]
        fields_before = [counted("fields", field=field, result=result) for field, result in fields]
        await app.plan(routines={"full": {"outputs": {"Work Email": "a@example.com"}}})
        await app.api.call("POST", "/api/clay/exclusions", {"lead_id": str(fourth), "reason": "r"}, status=201)
        await app.enrich([first, fourth], kind="full")
        await app.work()
        await app.plan(deviations={"empty": 1.0})
        await app.enrich([second], kind="full")
        await app.work()
        await app.plan(credits=0)
        await app.enrich([third])
        await app.work()
        after = [counted("items", end=end, cause=cause) for end, cause in ends]
        assert [each - was for each, was in zip(after, before, strict=True)] == [1, 1, 1, 1]
        fields_after = [counted("fields", field=field, result=result) for field, result in fields]
        assert [each - was for each, was in zip(fields_after, fields_before, strict=True)] == [1, 1, 2]


def test_a_custom_field_has_no_label_of_its_own() -> None:
    before = counted("fields", field="custom", result="found")
    metrics.enrichment_ended("found", None, ["custom.secret_project"], ())
    assert counted("fields", field="custom", result="found") == before + 1
    assert counted("fields", field="custom.secret_project", result="found") == 0
