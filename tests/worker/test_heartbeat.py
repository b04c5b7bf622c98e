"""The heartbeat says that a worker can do its work, not only that its process is there."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.settings import Settings
from clay_push_service.worker import worker as module
from clay_push_service.worker.worker import Worker

FETCH = "clay.procrastinate_fetch_job_v2(character varying[], bigint)"


@asynccontextmanager
async def beating(settings: Settings) -> AsyncIterator[None]:
    """The worker's queue and heart, and nothing else of it."""
    worker = Worker(settings)
    tasks = [asyncio.create_task(worker._serve_queue()), asyncio.create_task(worker._beat())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(seconds: float, condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            pass  # it takes its time


async def test_a_worker_whose_queue_finds_no_tables_has_no_heartbeat_until_it_does(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Database(database_url, pool_size=2)
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(module, "DEAF_SECONDS", 2.0)

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

    async with beating(
        Settings(database_url=database_url, encryption_keys=f"1:{b64encode(bytes(range(32))).decode()}")
    ):
        await until(5, beats)
        await asyncio.sleep(2.5)
        assert await beats(), "the queue is asked every second, and answers"
        await run(f"ALTER FUNCTION {FETCH} RENAME TO gone")
        await until(10, is_still)
        await run(
            f"ALTER FUNCTION {FETCH.replace('procrastinate_fetch_job_v2', 'gone')} RENAME TO procrastinate_fetch_job_v2"
        )
        await until(10, beats)
    await owner.close()
