"""The heartbeat proves that a worker can fetch queue jobs, not only that its process runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.worker import heartbeat
from clay_push_service.worker.queue_worker import QueueWorker
from tests.harness.installation import Installation, install

FETCH = "clay.procrastinate_fetch_job_v2(character varying[], bigint)"


@asynccontextmanager
async def beating(installation: Installation) -> AsyncIterator[None]:
    """Run only the queue and the heartbeat of a worker."""
    async with installation.drainer() as drainer:
        queue_worker = QueueWorker(installation.settings, drainer)
        beats = heartbeat.Heartbeat(uuid4(), installation.database, drainer.context.clock, queue_worker)
        tasks = [asyncio.create_task(queue_worker.run()), asyncio.create_task(beats.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def until(seconds: float, condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            pass  # `condition` waits between two checks


async def test_a_worker_whose_queue_fails_has_no_heartbeat_until_the_queue_works(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Database(database_url, pool_size=2)
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat, "QUEUE_UNRESPONSIVE_SECONDS", 2.0)

    async def run(sql: str) -> None:
        async with owner.transaction() as connection:
            await connection.execute(text(sql))

    async def seen_at() -> datetime | None:
        async with owner.transaction() as connection:
            found: datetime | None = (await connection.execute(text("SELECT max(seen_at) FROM clay.workers"))).scalar()
            return found

    async def beats() -> bool:
        before = await seen_at()
        await asyncio.sleep(0.5)
        return await seen_at() != before

    async def is_still() -> bool:
        return not await beats()

    async with install(database_url, leads=0) as installation, beating(installation):
        await until(30, beats)
        await asyncio.sleep(2.5)
        await until(30, beats)  # the queue responds when it is polled every second
        await run(f"ALTER FUNCTION {FETCH} RENAME TO gone")
        await until(30, is_still)
        await run(
            f"ALTER FUNCTION {FETCH.replace('procrastinate_fetch_job_v2', 'gone')} RENAME TO procrastinate_fetch_job_v2"
        )
        await until(30, beats)
    await owner.close()
