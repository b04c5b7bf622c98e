"""With several destinations, deliveries, history and retries belong to one destination, and the pace to their workspace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.lead_states import ClayState, read_lead_states
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.push_jobs.retry import retry
from clay_push_service.push_jobs.schemas import RetryBody
from clay_push_service.sending.drainer import Drainer
from tests.harness.installation import Installation, install
from tests.support.destination_rows import add_second_destination, add_version
from tests.support.receiver import OK, Receiver, receiving, status


@dataclass(frozen=True, slots=True)
class TwoDestinations:
    w: Installation
    drainer: Drainer
    first: Receiver
    second: Receiver
    second_id: UUID

    async def drain(self) -> None:
        await self.w.drain_all(self.drainer)


@asynccontextmanager
async def two_destinations(database_url: str, *, rate_limit_ms: int = 0) -> AsyncIterator[TwoDestinations]:
    async with receiving() as first, receiving() as second:
        hosts = tuple(f"127.0.0.1:{httpx.URL(each.url).port}" for each in (first, second))
        async with install(database_url, leads=3, allowed_webhook_hosts=hosts) as w, w.drainer() as drainer:
            await w.configure(first.url, rate_limit_ms=rate_limit_ms)
            async with w.database.transaction() as connection:
                destination_id = await add_second_destination(connection, w.org_id)
                version_id = uuid4()
                sealed = w.secret_box.seal(second.url, w.org_id, version_id)
                await add_version(connection, w.org_id, destination_id, version_id=version_id, sealed_url=sealed)
            yield TwoDestinations(w, drainer, first, second, destination_id)


async def test_a_lead_in_one_table_is_sent_once_to_the_other_table(database_url: str) -> None:
    async with two_destinations(database_url) as two:
        await two.w.push()
        await two.drain()
        for skipped in (0, 3):
            accepted = await two.w.push(destination_id=two.second_id)
            assert (accepted.lead_count, accepted.skipped_count) == (3, skipped)
            await two.drain()
        assert list(two.first.leads.values()) == list(two.second.leads.values()) == [1, 1, 1]


async def test_lead_may_be_queued_for_both_tables(database_url: str) -> None:
    async with two_destinations(database_url) as two:
        assert (await two.w.push()).skipped_count == 0
        assert (await two.w.push(destination_id=two.second_id)).skipped_count == 0
        again = await two.w.push(destination_id=two.second_id)
        assert (again.skipped_count, again.main_cause) == (3, Cause.ALREADY_QUEUED)
        await two.drain()
        assert len(two.first.leads) == len(two.second.leads) == 3


async def test_state_of_a_lead_is_that_of_one_destination(database_url: str) -> None:
    async with two_destinations(database_url) as two:
        await two.w.push(destination_id=two.second_id)
        await two.drain()
        async with two.w.database.transaction() as connection:
            second = ClayTable(two.second_id, 1)
            in_second = await read_lead_states(connection, two.w.org_id, two.w.lead_ids, second)
            [row] = await two.w.fetch("SELECT id FROM clay.destinations WHERE is_default")
            in_first = await read_lead_states(connection, two.w.org_id, two.w.lead_ids, ClayTable(row.id, 1))
        assert {each.state for each in in_second.values()} == {ClayState.IN_CLAY}
        assert {each.state for each in in_first.values()} == {ClayState.NEVER}


async def test_retry_sends_to_the_destination_of_its_push_job(database_url: str) -> None:
    async with two_destinations(database_url) as two:
        two.second.answer = lambda _number, _body: status(400)
        failed = await two.w.push(two.w.lead_ids[:1], destination_id=two.second_id)
        await two.drain()
        two.second.answer = lambda _number, _body: OK
        async with two.w.database.transaction() as connection:
            tables = await two.w.host_tables.tables(connection)
            actor = Actor(two.w.org_id, "user:test")
            await retry(connection, tables, actor, failed.job_id, RetryBody(causes=[Cause.REJECTED]))
        await two.drain()
        assert two.first.leads == {}
        assert (await two.w.fetch("SELECT count(*) AS n FROM clay.clay_push_log WHERE status = 'success'"))[0].n == 1


async def test_destinations_of_a_workspace_share_its_pace(database_url: str) -> None:
    async with two_destinations(database_url, rate_limit_ms=200) as two:
        await two.w.push()
        await two.w.push(destination_id=two.second_id)
        await two.drain()
        rows = await two.w.fetch("SELECT pushed_at, duration_ms FROM clay.clay_push_log")
        assert len(rows) == 6
        [workspace] = await two.w.fetch("SELECT next_slot_at FROM clay.workspaces")
        [job] = await two.w.fetch("SELECT min(created_at) AS at FROM clay.push_jobs")
        assert (workspace.next_slot_at - job.at).total_seconds() >= 5 * 0.2, (
            "both destinations use slots of one token bucket"
        )
