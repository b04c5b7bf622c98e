"""Runs the worker's parts and the host's polling processor on one database, and restarts the processor."""

import asyncio
import random
from uuid import UUID

import asyncpg

from clay_push_service.host_integration.attach.attachment import Level
from tests.harness.attached import Attached, HostProcessor, install_attached
from tests.harness.nexusleads import NexusLeads

PUSHES, EXPORTS, LEADS = 100, 20, 3


async def test_100_pushes_and_20_auto_exports_succeed_beside_a_restarting_processor(database_url: str) -> None:
    async with install_attached(database_url, Level.INBOX, leads=PUSHES * LEADS) as a:
        host = await asyncpg.connect(database_url)
        processor = HostProcessor(host)
        projects = await _projects(a.host, a.org_id)
        exports, pushes, stop = [], [], asyncio.Event()

        async def of_the_host() -> None:
            """Poll continuously, and restart at every tenth poll, while jobs are running."""
            number = 0
            while not stop.is_set():
                number += 1
                await processor.claim()
                if number % 10 == 0:
                    processor.in_hand.clear()
                    await processor.start()
                    await processor.claim()
                await asyncio.sleep(random.random() * 0.02)
                await processor.finish()

        async def of_ours() -> None:
            while not stop.is_set():
                await a.inbox.process_due()
                await a.mirror_now()
                await asyncio.sleep(0.1)

        async def drains() -> None:
            while not stop.is_set():
                await a.installation.drain_all(a.drainer, seconds=150)
                await asyncio.sleep(0.05)

        around = [asyncio.create_task(each()) for each in (of_the_host, of_ours, drains)]
        try:
            for number in range(PUSHES):
                ids = a.installation.lead_ids[number * LEADS : (number + 1) * LEADS]
                pushes.append((await a.installation.push(ids)).job_id)
                if number % 5 == 0:
                    project_id, lead_ids = projects[number // 5]
                    exports.append(await a.host_queues(lead_ids[:1], in_project=project_id))
                await asyncio.sleep(0.01)
            await _all_shown(a, len(pushes) + len(exports))
        finally:
            stop.set()
            await asyncio.gather(*around)
            await host.close()
        await a.check_now()

        all_leads = {str(each) for each in a.installation.lead_ids} | {str(each) for _, ids in projects for each in ids}
        assert set(a.receiver.leads) == all_leads
        assert set(a.receiver.leads.values()) == {1}
        assert processor.would_push == []
        await _ended_right_on_both_sides(a, {*pushes, *exports})
        assert len(await a.marks()) == len(all_leads)


async def _all_shown(a: Attached, jobs: int) -> None:
    async with asyncio.timeout(150):
        while True:
            ended = await a.host.connection.fetchval(
                "SELECT count(*) FROM sourcing_jobs WHERE status IN ('completed', 'failed')"
            )
            if ended == jobs and len(await a.marks()) == jobs * LEADS:
                return
            await asyncio.sleep(0.1)


async def _ended_right_on_both_sides(a: Attached, host_job_ids: set[UUID]) -> None:
    ours = await a.installation.fetch("SELECT status, push_mode FROM clay.push_jobs")
    assert [row.status for row in ours] == ["completed"] * (PUSHES + EXPORTS)
    assert sum(row.push_mode == "auto" for row in ours) == EXPORTS
    theirs = await a.host.connection.fetch("SELECT id, status, error_message, progress_percentage FROM sourcing_jobs")
    assert {row["id"] for row in theirs} == host_job_ids
    ends = {(row["status"], row["error_message"], row["progress_percentage"]) for row in theirs}
    assert ends == {("completed", None, 100)}
    steps = await a.host.connection.fetchval("SELECT count(*) FROM job_progress WHERE status = 'completed'")
    assert steps == 3 * len(theirs)


async def _projects(host: NexusLeads, org_id: UUID) -> list[tuple[UUID, list[UUID]]]:
    """Add one project for each auto-export to the same organization, each with its rule on."""
    found = []
    for number in range(EXPORTS):
        project_id = await host.project(org_id, f"Project {number}")
        found.append((project_id, list(await host.bulk_leads(project_id, LEADS))))
    ids = [project_id for project_id, _ in found]
    await host.connection.execute("UPDATE projects SET auto_export_clay_enabled = true WHERE id = ANY($1)", ids)
    return found
