"""A push that looks at all tables sees the leads of every push to another table that began before it, also before its commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import httpx
import pytest

from clay_push_service.callers.actor import Actor
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import PushBody
from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import add_table, placed, rows, send_to, set_routes

WAITING = """
SELECT count(*) AS pushes FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
LEADS, PUSHES = 3, 20


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """The routes send every lead to `routed`."""
    async with run_api_with_leads(database_url, leads=LEADS) as made:
        await set_routes(made, send_to(await add_table(made, "routed")))
        yield made


async def push(api: Api, stack: AsyncExitStack, body: PushBody) -> int:
    """Returns the number of queued leads. The push is committed when the stack is closed."""
    connection = await stack.enter_async_context(api.database.transaction())
    tables = await api.installation.host_tables.tables(connection)
    jobs = await PushService(connection, tables, Actor(api.org_id, "user:test"), api.settings).push(body)
    return sum(job.to_send for job in jobs)


async def push_anywhere(api: Api) -> int:
    async with AsyncExitStack() as stack:
        return await push(api, stack, PushBody(lead_ids=list(api.lead_ids), project_id=api.project_id, anywhere=True))


async def waits(api: Api, least: int, running: list[asyncio.Task[int]] | list[asyncio.Task[httpx.Response]]) -> None:
    """Returns when so many transactions wait for a lock."""
    while (await api.installation.fetch(WAITING))[0].pushes < least:
        assert not any(each.done() for each in running), "a push did not wait for the pushes by hand"
        await asyncio.sleep(0.01)


async def push_by_hand(api: Api, stack: AsyncExitStack, table: str) -> None:
    """One open push for each lead, so that none of them waits for another."""
    for lead_id in api.lead_ids:
        body = PushBody(lead_ids=[lead_id], project_id=api.project_id, destination_id=UUID(table))
        assert await push(api, stack, body) == 1


async def test_twenty_pushes_with_anywhere_beside_pushes_by_hand_queue_no_lead_twice(api: Api) -> None:
    by_hand = await add_table(api, "by_hand")
    async with AsyncExitStack() as stack:
        await push_by_hand(api, stack, by_hand)
        running = [asyncio.create_task(push_anywhere(api)) for _ in range(PUSHES)]
        await waits(api, 1, running)
    assert sum(await asyncio.gather(*running)) == 0
    assert await placed(api) == {(str(number), "by_hand") for number in range(LEADS)}
    causes = {cause for _, table, cause, _ in await rows(api) if table == "routed"}
    assert causes == {"already_queued"}


@pytest.mark.parametrize("kind", ["auto-export", "schedule"])
async def test_automatic_pushes_beside_pushes_by_hand_queue_no_lead_twice(api: Api, kind: str) -> None:
    by_hand = await add_table(api, "by_hand")
    rule = f"/api/clay/projects/{api.project_id}/auto-export"
    await api.call("PUT", rule, {"enabled": True})
    body = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "UTC", "project_id": str(api.project_id)}
    schedule = await api.call("POST", "/api/clay/schedules", body, status=201)
    path = f"{rule}/run" if kind == "auto-export" else f"/api/clay/schedules/{schedule['id']}/run"
    async with AsyncExitStack() as stack:
        await push_by_hand(api, stack, by_hand)
        running = [asyncio.create_task(api.send("POST", path, "owner", json={}))]
        await waits(api, 1, running)
    answer = await running[0]
    assert answer.json()["outcome"] == "nothing_new", answer.text
    assert await placed(api) == {(str(number), "by_hand") for number in range(LEADS)}
