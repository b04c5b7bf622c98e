"""Cancelling a push job while workers claim, mark and give back its leads: nobody waits in a circle."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from clay_push_service.push_jobs.accept import Asker
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.claim import claim, mark_sending, release
from tests.support.world import World, world

LEASE = timedelta(seconds=30)


async def work(w: World, job_id: UUID) -> None:
    """What a slice does with its leads, without sending them."""
    for _ in range(5):
        token = uuid4()
        async with w.database.transaction() as connection:
            claims = [each.delivery_id for each in await claim(connection, job_id, token, 100, LEASE)]
        if not claims:
            return
        async with w.database.transaction() as connection:
            await mark_sending(connection, token, claims[:50], LEASE)
        async with w.database.transaction() as connection:
            await release(connection, token, claims)


async def test_a_cancel_and_three_workers_never_deadlock(database_url: str) -> None:
    async with world(database_url, leads=800) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        for _ in range(12):
            job_id = (await w.push()).job_id

            async def stop(job_id: UUID = job_id) -> None:
                await asyncio.sleep(0.01)
                async with w.database.transaction() as connection:
                    await cancel(connection, Asker(w.org_id, "user:test"), job_id)

            await asyncio.gather(*(work(w, job_id) for _ in range(3)), stop())
            await w.fetch("DELETE FROM clay.clay_push_log")
            await w.fetch("DELETE FROM clay.push_jobs")
