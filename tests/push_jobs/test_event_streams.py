"""Event streams: their number is limited, they end with the caller's rights, and all streams of a job share its reads."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import Request
from sqlalchemy import event, text

from clay_push_service.callers.api_keys import revoke_key
from clay_push_service.callers.caller import Caller, CallerKind, Scope
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.errors import TooManyRequestsError, UnauthorizedError, UnavailableError
from clay_push_service.push_jobs.dependencies import READ_DETACHED
from clay_push_service.push_jobs.live.event_streams import EventStreams, JobStream
from clay_push_service.push_jobs.live.feeds import Feed, Feeds
from clay_push_service.push_jobs.live.watch import Watch
from tests.harness.api import Api
from tests.harness.installation import Installation, install
from tests.harness.routes import furnish
from tests.harness.served import Served, served
from tests.harness.settings import access_token, make_settings

READERS = 20
WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


def caller(key_id: UUID) -> Caller:
    return Caller(CallerKind.SERVICE, uuid4(), "key:test", frozenset({Scope.READ}), key_id=key_id)


def test_the_number_of_streams_per_caller_and_process_is_limited() -> None:
    streams = EventStreams(per_caller=2, in_total=3)
    one, another = caller(uuid4()), caller(uuid4())
    with streams.opened(one), streams.opened(another):
        with streams.opened(one), pytest.raises(TooManyRequestsError) as refused, streams.opened(one):
            pass
        assert int(refused.value.headers["Retry-After"]) > 0
        with streams.opened(one), pytest.raises(TooManyRequestsError), streams.opened(another):
            pass
        with streams.opened(another):
            pass


@asynccontextmanager
async def feeding(installation: Installation) -> AsyncIterator[tuple[Feeds, UUID, list[str]]]:
    """A push job that no worker drains, its feeds, and the statements that read it."""
    await installation.configure(WEBHOOK)
    job = await installation.push()
    statements: list[str] = []

    def record_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "AS destination_state" in statement:
            statements.append(statement)

    event.listen(installation.database.engine.sync_engine, "before_cursor_execute", record_statement)
    watch = Watch(installation.database, DatabaseClock())
    listening = asyncio.create_task(watch.run())
    try:
        yield Feeds(installation.database, watch), job.job_id, statements
    finally:
        event.remove(installation.database.engine.sync_engine, "before_cursor_execute", record_statement)
        listening.cancel()
        await asyncio.wait([listening])


async def count(installation: Installation, job_id: UUID, number: int) -> None:
    async with installation.database.transaction() as connection:
        await connection.execute(
            text("UPDATE clay.push_jobs SET table_name = :name WHERE id = :id"), {"name": f"T{number}", "id": job_id}
        )
        await connection.execute(text("SELECT pg_notify('clay_push_jobs', :id)"), {"id": str(job_id)})


async def test_each_change_is_read_once_for_all_streams_of_a_job(database_url: str) -> None:
    async with (
        install(database_url, leads=3) as installation,
        feeding(installation) as (feeds, job_id, statements),
        AsyncExitStack() as stack,
    ):
        followed = [await stack.enter_async_context(feeds.follow(installation.org_id, job_id)) for _ in range(READERS)]
        for number in range(3):
            await count(installation, job_id, number)
            async with asyncio.timeout(60):
                for feed in followed:
                    while f'"T{number}"' not in feed.latest:
                        await feed.changed.wait()
        # One read at the start and one for each change. A wait that times out without a change also reads.
        assert len(statements) < 3 * READERS
        assert len({id(feed) for feed in followed}) == 1


async def test_a_job_without_streams_is_no_longer_read(database_url: str) -> None:
    async with install(database_url, leads=3) as installation, feeding(installation) as (feeds, job_id, statements):
        async with feeds.follow(installation.org_id, job_id) as feed:
            await asyncio.wait_for(feed.changed.wait(), 60)
        read = len(statements)
        async with feeds.follow(installation.org_id, job_id) as again:
            assert again is not feed
            await asyncio.wait_for(again.changed.wait(), 60)
            assert len(statements) > read


async def test_a_later_stream_gets_the_newest_snapshot_immediately_and_the_end(database_url: str) -> None:
    async with install(database_url, leads=3) as installation, feeding(installation) as (feeds, job_id, _):  # noqa: SIM117 - one line is too long
        async with (
            feeds.follow(installation.org_id, job_id) as feed,
            feeds.follow(installation.org_id, job_id) as later,
        ):
            await asyncio.wait_for(feed.changed.wait(), 60)
            assert later.number == feed.number == 1
            await installation.fetch(
                "UPDATE clay.push_jobs SET status = 'cancelled', finished_at = now() WHERE id = :id", id=job_id
            )
            async with asyncio.timeout(60):
                while not feed.has_ended:
                    await feed.changed.wait()
            assert '"cancelled"' in later.latest


async def test_a_stream_pauses_while_rights_cannot_be_read_and_ends_without_rights() -> None:
    feed, who = Feed(), caller(uuid4())
    answers: list[Exception | Caller] = [UnavailableError("away"), who, UnauthorizedError("revoked")]
    checked: list[int] = []

    async def authorize() -> Caller:
        checked.append(feed.number)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    feed.publish("1")
    stream = JobStream(feed, authorize, who, recheck_seconds=0.05)
    assert [snapshot async for snapshot in stream.snapshots()] == ["1"]
    assert answers == []
    assert checked == [1, 1, 1]


async def test_a_stream_ends_when_its_token_expires(app_client: Api) -> None:
    report = access_token("member", exp=int(time.time()) + 8)
    headers = [(b"authorization", f"Bearer {report}".encode())]
    request = Request({"type": "http", "app": app_client.app, "headers": headers, "state": {}})
    feed, who = Feed(), await READ_DETACHED.admit(request)
    feed.publish("1")
    stream = JobStream(feed, lambda: READ_DETACHED.admit(request), who, recheck_seconds=0.2)
    async with asyncio.timeout(60):
        assert [snapshot async for snapshot in stream.snapshots()] == ["1"]


@asynccontextmanager
async def watching(service: Served, path: str, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
    async with (
        httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=60) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        yield answer


async def until_end(service: Served, path: str, headers: dict[str, str], begun: asyncio.Queue[None]) -> int:
    """Read a stream until the service ends it. Returns the number of events."""
    events = 0
    async with watching(service, path, headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line == "event: job":
                events += 1
                begun.put_nowait(None)
    return events


async def test_streams_end_when_their_callers_lose_the_right_to_read(
    app_client: Api, database_url: str, tmp_path: Path
) -> None:
    """The job does not end: there is no worker."""
    host, org_id = app_client.host, app_client.org_id
    path = f"/api/clay/jobs/{(await furnish(app_client, org_id, 'owner')).job_id}/events"
    settings = make_settings(database_url)
    prefix = await app_client.key(Scope.READ)
    credentials = {
        "revoked key": app_client.credentials[prefix],
        "deactivated": access_token("member"),
        "removed": access_token("admin"),
    }
    org = {"X-Org-Id": str(org_id)}
    async with served(settings, tmp_path, event_stream_recheck_seconds="0.2") as service:
        begun: asyncio.Queue[None] = asyncio.Queue()
        streams = [
            asyncio.create_task(until_end(service, path, org | {"Authorization": f"Bearer {each}"}, begun))
            for each in credentials.values()
        ]
        async with watching(service, path, org | {"Authorization": f"Bearer {access_token('both')}"}) as kept:
            lines = kept.aiter_lines()
            assert await anext(lines) == "event: job"
            for _ in streams:
                await asyncio.wait_for(begun.get(), 60)
            async with app_client.database.transaction() as connection:
                await revoke_key(connection, prefix, "test")
            await host.connection.execute("UPDATE users SET is_active = false WHERE username = 'member'")
            await host.connection.execute(
                "DELETE FROM org_members WHERE user_id = (SELECT id FROM users WHERE username = 'admin')"
            )
            async with asyncio.timeout(90):
                assert min(await asyncio.gather(*streams)) >= 1
            await host.connection.execute("UPDATE clay.push_jobs SET table_name = 'Another'")
            async with asyncio.timeout(60):
                async for line in lines:
                    if '"Another"' in line:
                        break


async def test_too_many_streams_get_429_and_health_checks_succeed_meanwhile(
    app_client: Api, database_url: str, tmp_path: Path
) -> None:
    ids = await furnish(app_client, app_client.org_id, "owner")
    path = f"/api/clay/jobs/{ids.job_id}/events"
    settings = make_settings(database_url)
    headers = {"X-Org-Id": str(app_client.org_id), "Authorization": f"Bearer {access_token('owner')}"}
    async with served(settings, tmp_path, max_connections="10") as service, AsyncExitStack() as stack:
        for _ in range(10):
            answer = await stack.enter_async_context(watching(service, path, headers))
            assert answer.status_code == 200
        async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=60) as client:
            assert (await client.get("/healthz")).status_code == 200
            busy = await client.get("/readyz")
            assert (busy.status_code, busy.json()["code"]) == (503, "overloaded")
            await stack.pop_all().aclose()  # all allowed streams
    async with served(settings, tmp_path, event_streams_per_caller="2") as service, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(watching(service, path, headers))
        async with watching(service, path, headers) as third:
            assert third.status_code == 429
            assert int(third.headers["retry-after"]) > 0
        async with watching(service, path, headers | {"Authorization": f"Bearer {access_token('both')}"}) as others:
            assert others.status_code == 200
