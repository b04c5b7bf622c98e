"""The enrichment settings and the quality of enrichment, as a browser without JavaScript uses them."""

import pytest

from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.console.pages.enrichment.quality_charts import Segment, field_segments, week_chart
from clay_push_service.console.pages.enrichment.settings_form import map_text, read_map
from clay_push_service.enrichment.jobs.quality import FieldQuality
from clay_push_service.enrichment.settings.staged_test import StageName, StageStatus
from clay_push_service.enrichment.settings.try_settings import stage_of
from clay_push_service.errors import InvalidError
from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

PAGE = "/console/enrichment/settings"
KEY = "clay_key_of_owner"
BASICS = {
    "api_key": KEY, "requests_per_minute": "300", "table_answer_minutes": "60", "credits_per_day": "200",
    "actions_per_day": "", "time_zone": "Europe/Berlin",
}  # fmt: skip
ROUTINE = {
    "routine_id": "rt_1", "inputs": "Full Name = full_name\nCompany = company_name", "outputs": "email = Work Email",
    "credits_low": "1", "credits_high": "2.5", "actions_low": "", "actions_high": "",
}  # fmt: skip


async def test_key_pace_budget_and_routine_are_saved_and_the_key_is_never_shown(api: Api, owner: Visitor) -> None:
    assert "Clay API credentials not configured." in (await owner.open(PAGE)).text
    await owner.submit_and_follow(PAGE, BASICS)
    page = await owner.submit_and_follow(f"{PAGE}/routines/email", ROUTINE)
    assert "The routine is saved." in page.text
    assert KEY not in page.text
    found = await api.call("GET", "/api/clay/enrichment/config")
    assert found["budget"] == {"credits_per_day": 200.0, "actions_per_day": None, "time_zone": "Europe/Berlin"}
    assert (found["requests_per_minute"], found["table_answer_minutes"]) == (300, 60)
    routine = found["routines"]["email"]
    assert routine["inputs"] == {"Full Name": "full_name", "Company": "company_name"}
    assert (routine["credits"], routine["actions"]) == ({"low": 1.0, "high": 2.5}, None)
    await owner.submit_and_follow(PAGE, BASICS | {"api_key": "", "credits_per_day": ""})
    kept = await api.call("GET", "/api/clay/enrichment/config")
    assert (kept["api_key"], kept["budget"]["credits_per_day"]) == (found["api_key"], None)
    await owner.submit_and_follow(f"{PAGE}/routines/email/remove")
    assert "The Clay API key is removed." in (await owner.submit_and_follow(f"{PAGE}/remove-key")).text
    emptied = await api.call("GET", "/api/clay/enrichment/config")
    assert (emptied["api_key"], emptied["routines"]["email"]) == (None, None)


@pytest.mark.parametrize(
    ("path", "changes", "text"),
    [
        ("", {"requests_per_minute": "many"}, "Requests per minute: must be a whole number."),
        ("", {"time_zone": "Berlin"}, "Time zone"),
        ("", {"credits_per_day": "x"}, "Credits per day: must be a number."),
        ("/routines/email", {"inputs": "full_name"}, "Inputs: write each line as name = value"),
        ("/routines/email", {"inputs": "A = full_name\nA = email"}, "Inputs: a name occurs twice"),
        ("/routines/email", {"outputs": "shoe_size = S"}, "is not a field"),
        ("/routines/email", {"credits_low": "3", "credits_high": "1"}, "low must not be above high"),
        ("/test/email", {"run_item": "1"}, "Enter the id of the lead to enrich."),
    ],
)
async def test_wrong_values_are_named_by_their_label(
    api: Api, owner: Visitor, path: str, changes: dict[str, str], text: str
) -> None:
    await owner.open(PAGE)
    given = (ROUTINE if path else BASICS) | changes
    page = await owner.submit_and_follow(f"{PAGE}{path}", given)
    assert text in page.text.replace("&#39;", "'")
    assert (await api.call("GET", "/api/clay/enrichment/config"))["version"] == 0


async def test_a_test_without_a_key_shows_the_stage_and_its_remedy(owner: Visitor) -> None:
    await owner.open(PAGE)
    page = await owner.submit_and_follow(f"{PAGE}/test/email")
    assert "Clay API credentials not configured" in page.text
    assert page.text.count("Not run") >= 3
    assert "Tested " in page.text


async def test_members_read_the_settings_and_change_nothing(api: Api, owner: Visitor) -> None:
    await owner.open(PAGE)
    await owner.submit_and_follow(PAGE, BASICS)
    async with visiting(api, "member") as member:
        page = await member.open(PAGE)
        assert page.status_code == 200
        assert "An owner or admin of your organization can change and test the settings." in page.text
        assert (await member.submit(PAGE, BASICS)).status_code == 403
        assert (await member.submit(f"{PAGE}/resume-rules")).status_code == 403


async def test_quality_is_shown_by_period_and_project_and_downloaded(api: Api, owner: Visitor) -> None:
    page = await owner.open(f"/console/enrichment/quality?days=30&project={api.project_id}")
    assert "Nothing was enriched in this period" in page.text
    assert (await owner.open("/console/enrichment/quality?project=&days=7")).status_code == 200
    csv = await owner.open("/console/enrichment/quality.csv?project=&days=7")
    assert csv.headers["content-type"].startswith("text/csv")
    assert (await owner.open("/console/enrichment/quality?project=x")).status_code == 422


def test_a_map_is_read_as_it_is_shown() -> None:
    values = {"Full Name": "full_name", "A": "b = c"}
    assert read_map("inputs", map_text(values)) == values
    with pytest.raises(InvalidError):
        read_map("inputs", "= x")


def test_segments_share_the_bar_and_leave_out_what_is_none() -> None:
    field = FieldQuality(field="email", found_count=3, not_found_count=1, gap_percent=25.0)
    assert field_segments(field) == [Segment("good", 0.0, 750.0), Segment("none", 750.0, 250.0)]
    assert field_segments(FieldQuality(field="phone", found_count=0, not_found_count=0, gap_percent=0.0)) == []
    assert week_chart([]).columns == ()


@pytest.mark.parametrize(
    ("recorded", "status", "cause"),
    [
        ("key: passed", StageStatus.PASSED, None),
        ("key: invalid_credentials", StageStatus.FAILED, ApiCause.INVALID_CREDENTIALS),
        ("item: no_data", StageStatus.UNCLEAR, ApiCause.NO_DATA),
    ],
)
def test_a_recorded_stage_is_read_with_its_explanation(
    recorded: str, status: StageStatus, cause: ApiCause | None
) -> None:
    stage = stage_of(recorded)
    assert (stage.status, stage.cause) == (status, cause)
    assert stage.name is StageName(recorded.partition(":")[0])
