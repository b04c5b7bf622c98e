"""Several workers share one inbox. Each entry is processed once, no worker waits for another, and a failed entry is retried when due."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.inbox import inbox
from clay_push_service.host_integration.inbox.inbox import Inbox
from tests.harness.attached import Attached, install_attached

PENDING = "SELECT count(*) FROM clay.inbox WHERE done_at IS NULL"


def another(a: Attached) -> Inbox:
    return Inbox(a.installation.database, HostTableCache(), a.installation.settings)


async def jobs(a: Attached) -> int:
    [row] = await a.installation.fetch("SELECT count(*) AS jobs FROM clay.push_jobs")
    made: int = row.jobs
    return made


async def test_two_workers_process_each_entry_once(database_url: str) -> None:
    async with install_attached(database_url, leads=12) as a:
        for number in range(6):
            await a.host_queues(a.installation.lead_ids[2 * number :][:2], mode="selected")
        dealt = await asyncio.gather(*(another(a).process_due() for _ in range(3)))
        assert sum(dealt) == 6
        assert await jobs(a) == 6
        [left] = await a.installation.fetch(PENDING)
        assert left[0] == 0


async def test_an_entry_that_another_worker_has_locked_is_skipped(database_url: str) -> None:
    async with install_attached(database_url, leads=4) as a:
        await a.host_queues(a.installation.lead_ids[:2], mode="selected")
        await a.host_queues(a.installation.lead_ids[2:], mode="selected")
        async with a.installation.database.transaction() as first:
            held = await inbox.NEXT.one(first)
            async with a.installation.database.transaction() as second:
                other = await inbox.NEXT.one(second)
            assert other.id != held.id
            assert await asyncio.wait_for(another(a).process_due(), 60) == 1
        assert await jobs(a) == 1
        assert await another(a).process_due() == 1
        assert await jobs(a) == 2


async def test_a_processed_entry_is_not_processed_again(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        await a.host_queues(a.installation.lead_ids, mode="selected")
        assert await another(a).process_due() == 1
        assert await another(a).process_due() == 0


async def test_a_failed_entry_is_not_processed_before_it_is_due(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with install_attached(database_url, leads=2) as a:
        await a.host_queues(a.installation.lead_ids, mode="selected")

        async def failing(*_: object, **__: object) -> Sequence[UUID]:
            raise OSError("the database is away")

        with monkeypatch.context() as patched:
            patched.setattr(inbox, "unknown_leads", failing)
            assert await another(a).process_due() == 1, "the entry must be tried only once"
        [entry] = await a.installation.fetch("SELECT attempts, due_at > now() AS later, done_at FROM clay.inbox")
        assert (entry.attempts, entry.later, entry.done_at) == (1, True, None)
        assert await another(a).process_due() == 0
        await a.installation.fetch("UPDATE clay.inbox SET due_at = now()")
        assert await another(a).process_due() == 1
        assert await jobs(a) == 1
