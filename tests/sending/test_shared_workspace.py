"""Several Clay tables at the pace of their workspace: tables of one workspace share it, two workspaces do not affect each other.

The turns of its tables: tests/deliveries/test_claim_turns.py.
"""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

from tests.harness.installation import Installation, install_with_drainer
from tests.support.destination_rows import add_second_destination, add_version
from tests.support.receiver import Receiver

LEADS = 8


async def add_table(w: Installation, receiver: Receiver, name: str) -> UUID:
    async with w.database.transaction() as connection:
        destination_id = await add_second_destination(connection, w.org_id, table_name=name)
        version_id = uuid4()
        sealed = w.secret_box.seal(f"{receiver.url}-{name}", w.org_id, version_id)
        await add_version(connection, w.org_id, destination_id, version_id=version_id, sealed_url=sealed)
    return destination_id


async def test_three_tables_of_a_workspace_share_one_pace(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=LEADS) as (w, drainer, clay):
        await w.configure(clay.url, rate_limit_ms=20)
        tables = [None, await add_table(w, clay, "second"), await add_table(w, clay, "third")]
        for table in tables:
            await w.push(destination_id=table)
        await w.drain_all(drainer)
        rows = await w.fetch("SELECT id, destination_id FROM clay.clay_push_log")
        of = {str(row.id): row.destination_id for row in rows}
        sent = Counter(of[post.delivery_id] for post in clay.posts)
        assert list(sent.values()) == [LEADS] * 3
        [workspace] = await w.fetch("SELECT next_slot_at FROM clay.workspaces")
        [job] = await w.fetch("SELECT min(created_at) AS at FROM clay.push_jobs")
        assert (workspace.next_slot_at - job.at).total_seconds() >= (3 * LEADS - 1) * 0.02, "slots of one token bucket"


async def test_slow_workspace_does_not_delay_a_fast_one(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=LEADS) as (w, drainer, clay):
        await w.configure(clay.url, rate_limit_ms=60_000)
        other = await add_table(w, clay, "other")
        [fast] = await w.fetch(
            "INSERT INTO clay.workspaces (org_id, name, is_default, rate_limit_ms) VALUES (:org, 'Fast', false, 20) RETURNING id",
            org=w.org_id,
        )
        await w.fetch("UPDATE clay.destinations SET workspace_id = :fast WHERE id = :id", fast=fast.id, id=other)
        slow_job = await w.push()
        fast_job = await w.push(destination_id=other)
        draining = asyncio.create_task(w.drain_all(drainer))
        async with asyncio.timeout(60):
            while (await w.job(fast_job.job_id)).status != "completed":  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.05)
        slow = await w.job(slow_job.job_id)
        assert (slow.status, slow.success_count <= 1) == ("running", True)
        draining.cancel()
        await asyncio.wait([draining])
