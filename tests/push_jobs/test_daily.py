"""Outcomes by day from the counters of push jobs, and the day on which the quota is used up."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from clay_push_service.destination_settings.named.forecast import forecast
from clay_push_service.destinations.read import Quota
from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import status

TODAY = date(2026, 11, 30)
DAILY = "/api/clay/activity/daily"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=5) as made:
        yield made


async def test_each_day_has_the_counters_of_its_pushes(api: Api) -> None:
    api.receiver.answer = lambda number, _: status(422 if number == 0 else 200)
    job = await api.push_and_drain()
    await api.installation.fetch(
        f"UPDATE clay.push_jobs SET created_at = created_at - interval '3 days' WHERE id = '{job['id']}'"
    )
    await api.push_and_drain(push_again=True)
    found = await api.call("GET", f"{DAILY}?days=4", who="member")
    assert [(day["jobs"], day["success"], day["failed"]) for day in found["days"]] == [
        (1, 4, 1),
        (0, 0, 0),
        (0, 0, 0),
        (1, 5, 0),
    ]
    assert found["days"][-1]["day"] == datetime.now(UTC).date().isoformat()
    assert found["quota"]["used"] == 9
    assert found["quota"]["per_day"] == pytest.approx(9 / 4, abs=0.06)
    assert found["quota"]["used_up_on"] is None, "more than ten years ahead"
    outside = await api.call("GET", f"{DAILY}?days=3")
    assert [day["jobs"] for day in outside["days"]] == [0, 0, 1]


async def test_another_webhook_does_not_move_the_forecast(api: Api) -> None:
    await api.push_and_drain()
    await api.call("PUT", "/api/clay/config", {"webhook_url": f"{api.receiver.url}/other", "quota_limit": 100})
    found = await api.call("GET", DAILY)
    assert (found["quota"]["used"], found["quota"]["per_day"], found["quota"]["used_up_on"]) == (0, None, None)
    assert found["days"][-1]["success"] == 5


@pytest.mark.parametrize(
    ("used", "limit", "submissions", "per_day", "used_up_on"),
    [
        (900, 1000, [0, 0, 50, 50], 50.0, date(2026, 12, 2)),
        (900, 1000, [30, 0, 0, 0], 7.5, date(2026, 12, 14)),
        (1000, 1000, [10], 10.0, TODAY),
        (1200, 1000, [10], 10.0, TODAY),
        (900, None, [10], 10.0, None),
        (900, 1000, [0, 0], None, None),
        (0, 50_000, [1], 1.0, None),
    ],
)
def test_forecast_continues_the_average_since_the_first_submission(
    used: int, limit: int | None, submissions: list[int], per_day: float | None, used_up_on: date | None
) -> None:
    found = forecast(Quota(used, limit), submissions, TODAY)
    assert (found.per_day, found.used_up_on) == (per_day, used_up_on)
