"""Schedules without JavaScript: saved as through the API, previewed, run, paused; errors beside fields; roles and organizations."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from clay_push_service.console.pages.schedules.forms import local_moment, outcome_pill
from clay_push_service.schedules.plan import ScheduleOutcome
from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

PAGE = "/console/schedules"
SCHEDULES = "/api/clay/schedules"


def daily(api: Api, **changes: str) -> dict[str, str]:
    fields = {"name": "Jeden Morgen", "project_id": str(api.project_id), "kind": "daily", "at": "09:00"}
    return {**fields, "time_zone": "Europe/Berlin", "mode": "new", "min_score": "89.75", **changes}


async def create(api: Api) -> Mapping[str, object]:
    body = {"name": "Nightly", "project_id": str(api.project_id), "kind": "daily", "at": "02:30", "time_zone": "UTC"}
    made: Mapping[str, object] = await api.call("POST", SCHEDULES, body)
    return made


async def test_a_schedule_is_previewed_saved_run_and_paused(api: Api, owner: Visitor) -> None:
    await owner.open(f"{PAGE}/new")
    preview = await owner.submit(PAGE, daily(api, action="preview"))
    assert (preview.status_code, "What a run would do now" in preview.text) == (200, True)
    assert preview.text.count("(UTC+01:00)") + preview.text.count("(UTC+02:00)") == 5
    assert (await api.call("GET", SCHEDULES))["schedules"] == []
    page = await owner.submit_and_follow(PAGE, daily(api))
    assert "Every day at 09:00 Europe/Berlin" in page.text
    assert "Score from 89.75" in page.text
    stored = (await api.call("GET", SCHEDULES))["schedules"][0]
    assert (stored["kind"], stored["at"], stored["days"], stored["filters"]["min_score"]) == (
        "daily",
        "09:00",
        None,
        89.75,
    )
    url = f"{PAGE}/{stored['id']}"
    page = await owner.submit_and_follow(f"{url}/run")
    assert "Pushed" in page.text
    assert "Show the push" in page.text
    await api.drain()
    page = await owner.submit_and_follow(f"{url}/run")
    assert "Nothing new" in page.text
    page = await owner.submit_and_follow(f"{url}/pause")
    assert "A user paused it." in page.text
    page = await owner.submit_and_follow(f"{url}/resume")
    assert page.text.count("<time datetime=") > 5
    assert "Jeden Morgen" in (await owner.open(PAGE)).text
    assert "preview=true&amp;count=true" in (await owner.open(f"{url}?preview=true")).text
    assert "New leads to push" in (await owner.open(f"{url}?preview=true&count=true")).text
    await owner.open(url)
    page = await owner.submit_and_follow(f"{url}/delete")
    assert "No schedules yet" in page.text


async def test_a_change_keeps_the_fields_and_sends_only_those_of_its_kind(api: Api, owner: Visitor) -> None:
    made = await create(api)
    url = f"{PAGE}/{made['id']}"
    page = await owner.open(f"{url}/edit")
    assert 'value="02:30"' in page.text
    fields = {
        "name": "Weekly",
        "kind": "weekly",
        "days_monday": "1",
        "days_friday": "1",
        "cron": "0 9 * * *",
        "min_score": "",
    }
    page = await owner.submit_and_follow(url, daily(api, **fields))
    stored = await api.call("GET", f"{SCHEDULES}/{made['id']}")
    assert (stored["days"], stored["cron"], stored["filters"]["min_score"]) == (["monday", "friday"], None, None)
    assert "Every Monday and Friday at 09:00 Europe/Berlin" in page.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"time_zone": "Europe/Berlim"}, "time_zone"),
        ({"kind": "cron", "cron": "0 0 31 2 *"}, "cron"),
        ({"kind": "cron", "cron": "* * * * *"}, "cron"),
        ({"kind": "weekly"}, "days"),
        ({"kind": "monthly", "day": "31"}, "day"),
        ({"kind": "monthly", "day": "often"}, "day"),
        ({"kind": "interval", "every_minutes": "5"}, "every_minutes"),
        ({"at": "25:00"}, "at"),
        ({"max_leads": "0"}, "max_leads"),
        ({"pause_after": "0"}, "pause_after"),
        ({"min_score": "101"}, "min_score"),
    ],
)
async def test_an_error_is_shown_beside_its_field(
    api: Api, owner: Visitor, changes: dict[str, str], field: str
) -> None:
    await owner.open(f"{PAGE}/new")
    answer = await owner.submit(PAGE, daily(api, **changes))
    assert (answer.status_code, f'id="{field}-error"' in answer.text) == (422, True), answer.text
    assert (await api.call("GET", SCHEDULES))["schedules"] == []


async def test_members_read_schedules_and_other_organizations_find_none(api: Api) -> None:
    made = await create(api)
    url = f"{PAGE}/{made['id']}"
    async with visiting(api, "member") as member:
        for path in (PAGE, url, f"{url}?preview=true"):
            assert (await member.open(path)).status_code == 200, path
        for path in (f"{PAGE}/new", f"{url}/edit"):
            assert (await member.open(path)).status_code == 403, path
        await member.open(PAGE)
        for path in (PAGE, url, f"{url}/pause", f"{url}/resume", f"{url}/delete"):
            assert (await member.submit(path, daily(api))).status_code == 403, path
    async with visiting(api, "other_owner") as other_owner:
        assert "Nightly" not in (await other_owner.open(PAGE)).text
        for path in (url, f"{url}/edit"):
            assert (await other_owner.open(path)).status_code == 404, path
        await other_owner.open(PAGE)
        for path in (url, f"{url}/run", f"{url}/pause", f"{url}/resume", f"{url}/delete"):
            assert (await other_owner.submit(path, daily(api))).status_code == 404, path
    assert (await api.call("GET", f"{SCHEDULES}/{made['id']}"))["paused_because"] is None


def test_local_times_have_their_utc_offset() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert local_moment(datetime(2026, 12, 1, 9, 0, tzinfo=berlin)) == "Tue 1 Dec 2026, 09:00 (UTC+01:00)"
    assert local_moment(datetime(2026, 7, 1, 9, 0, tzinfo=berlin)) == "Wed 1 Jul 2026, 09:00 (UTC+02:00)"
    west = timezone(-timedelta(hours=3, minutes=30))
    assert local_moment(datetime(2026, 7, 1, 9, 0, tzinfo=west)) == "Wed 1 Jul 2026, 09:00 (UTC-03:30)"
    assert local_moment(datetime(2026, 7, 1, 9, 0, tzinfo=UTC)).endswith("(UTC+00:00)")


def test_each_outcome_has_a_word_and_an_icon() -> None:
    assert all(outcome_pill(each).word and outcome_pill(each).icon for each in ScheduleOutcome)
