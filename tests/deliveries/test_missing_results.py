"""When results stop arriving, the destination becomes suspect, auto-export is held, and the missing leads are listed and can be pushed again."""

from datetime import timedelta
from typing import Any

import pytest

from clay_push_service.deliveries.invariants import verify
from clay_push_service.deliveries.missing_results import results_stopped, window_seconds
from tests.harness.api import Api, run_api_with_leads
from tests.support.stopped_results import CONFIRMED, LEADS, UNCONFIRMED, age, check, confirm, results_stop

PATH = "/api/clay/missing-results"


async def missing(api: Api, **query: object) -> Any:
    return await api.call("GET", PATH + "?" + "&".join(f"{name}={value}" for name, value in query.items()))


def test_the_window_is_the_longer_of_30_minutes_and_ten_times_p95() -> None:
    assert [window_seconds(p95) for p95 in (0.0, 180.0, 181.0, 3600.0)] == [1800.0, 1800.0, 1810.0, 36_000.0]


@pytest.mark.parametrize(
    ("count", "silent", "stopped"), [(19, 9999.0, False), (20, 1799.0, False), (20, 1800.0, True), (37, 9999.0, True)]
)
def test_twenty_missing_results_and_a_window_of_silence_are_needed(count: int, silent: float, stopped: bool) -> None:
    assert results_stopped(count, silent, 1800.0) is stopped


async def test_a_destination_whose_results_stop_is_suspect_and_the_gap_is_listed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api)
        assert await check(api)
        found = await missing(api, limit=30)
        rest = await missing(api, limit=30, cursor=found["next_cursor"])
        assert (found["missing_count"], found["window_seconds"], len(found["reasons"])) == (UNCONFIRMED, 1800.0, 3)
        assert found["suspect_since"] is not None
        listed = [each["lead"]["id"] for each in (*found["leads"], *rest["leads"])]
        assert sorted(listed) == sorted(str(each) for each in api.lead_ids[CONFIRMED:])
        status = await api.call("GET", "/api/clay/status")
        assert status["destination"]["state"] == "open"
        assert status["destination"]["results_missing_since"] == found["suspect_since"]


async def test_one_action_pushes_exactly_the_gap_again(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api)
        assert await check(api)
        headers = {"Idempotency-Key": "the-gap"}
        pushed = await api.call("POST", f"{PATH}/push-again", headers=headers)
        assert (pushed["lead_count"], pushed["skipped_count"]) == (UNCONFIRMED, 0)
        assert await api.call("POST", f"{PATH}/push-again", headers=headers) == pushed
        await api.drain()
        assert api.receiver.leads == {
            str(each): 1 if each in api.lead_ids[:CONFIRMED] else 2 for each in api.lead_ids
        }  # fmt: skip
        assert not await check(api)
        assert (await api.call("POST", f"{PATH}/push-again", status=409))["code"] == "nothing_missing"
        async with api.database.transaction() as connection:
            assert await verify(connection, timedelta(seconds=50)) == []
        await age(api, 40)  # the repeated pushes get no results either
        assert await check(api)
        assert (await missing(api))["missing_count"] == UNCONFIRMED


async def test_a_suspect_destination_holds_auto_export_and_accepts_manual_pushes(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api)
        assert await check(api)
        new = await api.host.lead(api.project_id, score=90)
        rule = f"/api/clay/projects/{api.project_id}/auto-export"
        await api.call("PUT", rule, {"enabled": True})
        scan = {"source_job_id": str(new)}
        held = await api.call("POST", f"{rule}/run", scan)
        assert (held["outcome"], held["lead_count"]) == ("results_missing", 0)
        assert (await api.call("GET", f"{rule}/preview"))["blocked"] == "results_missing"
        await confirm(api, api.lead_ids[-1:], after_seconds=45 * 60.0)  # a result arrives
        assert not await check(api)
        assert (await missing(api))["suspect_since"] is None
        ran = await api.call("POST", f"{rule}/run", scan)
        assert (ran["outcome"], ran["lead_count"]) == ("queued", 1)
        await api.host.connection.execute("UPDATE clay.destinations SET suspect_since = now()")
        assert (await api.push(api.lead_ids[:1], push_again=True))["skipped_count"] == 0


async def test_too_few_or_too_recent_open_confirmations_are_no_evidence(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api, minutes=29)
        assert not await check(api)
        await confirm(api, api.lead_ids[CONFIRMED:][: UNCONFIRMED - 19])
        await age(api, 60)
        assert not await check(api)


async def test_rows_without_a_result_before_confirmed_rows_are_not_missing(database_url: str) -> None:
    """Later deliveries were confirmed, so results have not stopped. These rows may lack a required column, for example."""
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await api.push_and_drain(api.lead_ids[CONFIRMED:])
        await age(api, 1)
        await api.push_and_drain(api.lead_ids[:CONFIRMED])
        await confirm(api, api.lead_ids[:CONFIRMED])
        await age(api, 600)
        assert not await check(api)
        assert (await missing(api))["missing_count"] == 0


async def test_a_slow_table_has_a_longer_window(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await api.push_and_drain(api.lead_ids[:CONFIRMED])
        await confirm(api, api.lead_ids[:CONFIRMED], after_seconds=600.0)
        await age(api, 15)
        await api.push_and_drain(api.lead_ids[CONFIRMED:])
        await age(api, 90)
        assert not await check(api)
        await age(api, 15)
        assert await check(api)
        assert (await missing(api))["window_seconds"] == 6000.0


async def test_a_table_that_never_sent_a_result_is_not_suspect(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await api.push_and_drain()
        await age(api, 6000)
        assert not await check(api)
        found = await missing(api)
        assert (found["missing_count"], found["reasons"], found["last_result_at"]) == (0, [], None)


async def test_a_new_clay_table_begins_without_suspicion(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api)
        assert await check(api)
        await api.host.connection.execute("UPDATE clay.destinations SET table_epoch = table_epoch + 1")
        assert not await check(api)
        assert (await missing(api))["suspect_since"] is None


async def test_an_erased_or_excluded_lead_is_not_pushed_again(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api)
        erased, excluded = api.lead_ids[-2:]
        await api.call("POST", "/api/clay/erasures", {"lead_ids": [str(erased)], "former_values": []})
        await api.call("POST", "/api/clay/exclusions", {"lead_id": str(excluded), "reason": "Opted out"})
        assert (await missing(api))["missing_count"] == UNCONFIRMED - 1
        pushed = await api.call("POST", f"{PATH}/push-again")
        assert (pushed["lead_count"], pushed["skipped_count"]) == (UNCONFIRMED - 1, 1)
