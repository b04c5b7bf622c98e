"""Pushes follow the routes. Preview and simulation equal the push, and a retry keeps its table."""

import asyncio
from datetime import timedelta

import pytest

from clay_push_service.callers.actor import Actor
from clay_push_service.deliveries.invariants import verify
from clay_push_service.push_jobs.accept import AcceptedJob
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import PushBody
from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import ROUTES, add_table, placed, rows, save_segment, send_to, set_routes, set_scores
from tests.support.receiver import Receiver, status


async def three_tables(api: Api) -> tuple[str, str, str]:
    """Leads with score 90 go to `best`, those from 50 to `good`, the others to no table. Returns the tables and the first route."""
    await set_scores(api, 90, 60, 10)
    best, good = await add_table(api, "best"), await add_table(api, "good")
    high, middle = await save_segment(api, "High", min_score=80), await save_segment(api, "Middle", min_score=50)
    made = await set_routes(api, send_to(best, high), send_to(good, middle))
    return best, good, made["routes"][0]["id"]


async def simulated(api: Api) -> set[tuple[str, str | None, str | None]]:
    seen = await api.call("POST", f"{ROUTES}/simulate", {"project_id": str(api.project_id), "limit": 200})
    index = {str(lead_id): str(number) for number, lead_id in enumerate(api.lead_ids)}
    return {
        (index[each["lead"]["id"]], decision["destination"] and decision["destination"]["name"], decision["skipped_because"])
        for each in seen["leads"]
        for decision in each["decisions"]
    }  # fmt: skip


async def pushed(api: Api) -> set[tuple[str, str | None, str | None]]:
    nowhere = {"no_route", "excluded", "erased"}
    return {(lead, None if cause in nowhere else table, cause) for lead, table, cause, _ in await rows(api)}


async def test_each_lead_goes_to_the_destination_of_the_first_matching_route(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        best, good, first = await three_tables(api)
        answer = await api.push()
        assert (answer["lead_count"], answer["skipped_count"]) == (3, 1)
        assert {each["destination"]["id"] for each in answer["jobs"]} == {best, good}
        assert answer["job_id"] == answer["jobs"][0]["job_id"]
        await api.drain()
        assert {(lead, table, cause) for lead, table, cause, _ in await rows(api)} == {
            ("0", "best", None), ("1", "good", None), ("2", "best", "no_route"),
        }  # fmt: skip
        assert ("0", "best", None, first) in await rows(api)
        causes = [each["cause"] for job in answer["jobs"] for each in (await api.job(job["job_id"]))["causes"]]
        assert causes == ["no_route"]
        async with api.installation.owner.transaction() as connection:
            assert await verify(connection, timedelta(minutes=1)) == []


async def test_without_a_match_nothing_is_queued_and_the_response_gives_the_reason(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await set_routes(api, send_to(None))
        answer = await api.push()
        assert (answer["lead_count"], answer["skipped_count"]) == (2, 2)
        assert "No route sends the lead to a Clay table" in answer["message"]
        assert (await api.job(answer["job_id"]))["status"] == "completed"


async def test_a_request_that_names_a_destination_bypasses_the_routes(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        best, _, _ = await three_tables(api)
        await api.push(destination_id=best)
        assert {(lead, table) for lead, table, _, route in await rows(api) if route == "None"} == {
            ("0", "best"), ("1", "best"), ("2", "best"),
        }  # fmt: skip


async def test_continue_sends_a_lead_to_several_tables_once_each(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await set_scores(api, 90, 10)
        all_of_them, best = await add_table(api, "all"), await add_table(api, "best")
        high = await save_segment(api, "High", min_score=80)
        await set_routes(api, {**send_to(all_of_them), "continue": True}, send_to(best, high), send_to(all_of_them))
        expected = await simulated(api)
        await api.push()
        await api.drain()
        assert await pushed(api) == expected
        await api.push(anywhere=True)
        await api.drain()
        assert await placed(api) == {("0", "all"), ("0", "best"), ("1", "all")}
        assert api.receiver.leads == {str(api.lead_ids[0]): 2, str(api.lead_ids[1]): 1}


async def test_one_request_with_anywhere_may_send_a_lead_to_several_tables(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        first, second = await add_table(api, "first"), await add_table(api, "second")
        await set_routes(api, {**send_to(first), "continue": True}, send_to(second))
        await api.push(anywhere=True)
        assert await placed(api) == {("0", "first"), ("0", "second")}


async def test_a_project_uses_its_own_list(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        shared, own = await add_table(api, "shared"), await add_table(api, "own")
        await set_routes(api, send_to(shared))
        await set_routes(api, send_to(own), project_id=api.project_id)
        await api.push()
        assert await placed(api) == {("0", "own")}
        await set_routes(api, project_id=api.project_id)
        await api.push()
        assert await placed(api) == {("0", "own"), ("0", "shared")}


async def test_a_project_without_a_list_uses_the_default_destination(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        other = await api.host.project(api.org_id, "Other")
        await set_routes(api, send_to(None), project_id=other)
        await api.push()
        assert {(lead, table, route) for lead, table, _, route in await rows(api)} == {("0", "Default", "None")}


async def test_exclusions_come_before_every_route(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await three_tables(api)
        everyone = await save_segment(api, "Low and high", exclude_priorities=["none"])
        await api.call("POST", "/api/clay/exclusions", {"segment_id": everyone, "reason": "Partner"})
        expected = await simulated(api)
        answer = await api.push(push_again=True)
        assert answer["skipped_count"] == 3
        assert await pushed(api) == expected == {(str(number), None, "excluded") for number in range(3)}


async def test_preview_and_simulation_equal_the_push(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        best, _, _ = await three_tables(api)
        await api.push_and_drain(api.lead_ids[:1], destination_id=best)
        expected = await simulated(api)
        seen = await api.call("POST", "/api/clay/preview", {"project_id": str(api.project_id)})
        by_table = {
            each["destination"]["name"]: (each["to_send"], {reason["cause"]: reason["count"] for reason in each["skipped"]})
            for each in seen["destinations"]
        }  # fmt: skip
        assert by_table == {"good": (1, {}), "best": (0, {"already_in_clay": 1, "no_route": 1})}
        assert (seen["lead_count"], seen["to_send"], seen["destination"]["name"]) == (3, 1, "good")
        first = await rows(api)
        await api.push()
        assert {
            (lead, None if cause == "no_route" else table, cause) for lead, table, cause, _ in await rows(api) - first
        } == expected


def refuse(_number: int, _body: bytes) -> bytes:
    return status(400)


async def test_a_retry_keeps_its_table_and_its_route(database_url: str) -> None:
    receiver = Receiver(refuse)
    async with run_api_with_leads(database_url, leads=3, receiver=receiver) as api:
        _, _, first = await three_tables(api)
        job_id = (await api.push(api.lead_ids[:1]))["job_id"]
        await api.drain()
        await set_routes(api, send_to(None))
        retried = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {})
        [delivery] = await api.installation.deliveries(retried["job_id"])
        assert str(delivery.route_id) == first
        assert (await api.job(retried["job_id"]))["destination"]["name"] == "best"


async def test_twenty_identical_routed_pushes_send_each_lead_once_to_each_table(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await set_scores(api, 90, 60, 10)
        best, every = await add_table(api, "best"), await add_table(api, "every")
        high = await save_segment(api, "High", min_score=80)
        await set_routes(api, {**send_to(best, high), "continue": True}, send_to(every))
        body = PushBody(lead_ids=list(api.lead_ids), project_id=api.project_id)

        async def push() -> list[
            AcceptedJob
        ]:  # not over HTTP, which limits the pushes of an organization at the same time
            async with api.database.transaction() as connection:
                tables = await api.installation.host_tables.tables(connection)
                return await PushService(connection, tables, Actor(api.org_id, "user:test"), api.settings).push(body)

        accepted = await asyncio.gather(*(push() for _ in range(20)))
        await api.drain()
        assert {len(jobs) for jobs in accepted} == {2}
        assert sum(job.lead_count - job.skipped_count for jobs in accepted for job in jobs) == 4
        assert await placed(api) == {("0", "best"), ("0", "every"), ("1", "every"), ("2", "every")}
        assert api.receiver.leads == {str(api.lead_ids[0]): 2, str(api.lead_ids[1]): 1, str(api.lead_ids[2]): 1}


async def test_an_idempotency_key_covers_all_jobs_of_a_routed_push(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await three_tables(api)
        body = {"lead_ids": [str(each) for each in api.lead_ids], "project_id": str(api.project_id)}
        first, second = [
            await api.call("POST", "/api/clay/push", body, headers={"Idempotency-Key": "k1"}) for _ in range(2)
        ]
        assert first == second
        assert len(await rows(api)) == 3


@pytest.mark.parametrize(("on_move", "expected"), [("stay", {"good"}), ("follow", {"good", "best"})])
async def test_automatic_pushes_stay_with_the_first_table_unless_the_route_follows(
    database_url: str, on_move: str, expected: set[str]
) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await set_scores(api, 60, 10)
        best, good = await add_table(api, "best"), await add_table(api, "good")
        high, middle = await save_segment(api, "High", min_score=80), await save_segment(api, "Middle", min_score=50)
        await set_routes(api, send_to(best, high, on_move=on_move), send_to(good, middle))
        rule = f"/api/clay/projects/{api.project_id}/auto-export"
        await api.call("PUT", rule, {"enabled": True})
        assert (await api.call("POST", f"{rule}/run", {}))["lead_count"] == 1
        await api.drain()
        await set_scores(api, 90, 10)
        again = await api.call("POST", f"{rule}/run", {})
        assert again["outcome"] == ("queued" if on_move == "follow" else "nothing_new")
        await api.drain()
        assert await placed(api) == {("0", table) for table in expected}
        assert (await api.call("POST", f"{rule}/run", {}))["outcome"] == "nothing_new"
