"""The whole, on one database: our worker's parts and the host's polling processor, with restarts of it in between."""

import asyncio
import random
from uuid import UUID

import asyncpg

from clay_push_service.demo.bulk_leads import load_bulk
from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.host_integration.attach.attachment import Level
from tests.support.attached import Attached, HostProcessor, attached

PUSHES, EXPORTS, LEADS = 100, 20, 3


async def test_100_pushes_and_20_auto_exports_beside_a_processor_that_restarts(database_url: str) -> None:
    async with attached(database_url, Level.INBOX, leads=PUSHES * LEADS) as a:
        host = await asyncpg.connect(database_url)
        processor = HostProcessor(host)
        projects = await _projects(a.connection, a.world.org_id, a.vintage)
        exports, pushes, stop = [], [], asyncio.Event()

        async def of_the_host() -> None:
            """Polls all the time; every tenth time it is started anew, with jobs in hand."""
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
                await a.world.drain_all(a.drainer, seconds=40)
                await asyncio.sleep(0.05)

        around = [asyncio.create_task(each()) for each in (of_the_host, of_ours, drains)]
        try:
            for number in range(PUSHES):
                ids = a.world.lead_ids[number * LEADS : (number + 1) * LEADS]
                pushes.append((await a.world.push(ids)).job_id)
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

        everyone = {str(each) for each in a.world.lead_ids} | {str(each) for _, ids in projects for each in ids}
        assert set(a.clay.leads) == everyone
        assert set(a.clay.leads.values()) == {1}
        assert processor.would_push == []
        await _ended_right_on_both_sides(a, {*pushes, *exports})
        assert len(await a.marks()) == len(everyone)


async def _all_shown(a: Attached, jobs: int) -> None:
    async with asyncio.timeout(40):
        while True:
            ended = await a.connection.fetchval(
                "SELECT count(*) FROM sourcing_jobs WHERE status IN ('completed', 'failed')"
            )
            if ended == jobs and len(await a.marks()) == jobs * LEADS:
                return
            await asyncio.sleep(0.1)


async def _ended_right_on_both_sides(a: Attached, host_job_ids: set[UUID]) -> None:
    ours = await a.world.fetch("SELECT status, push_mode FROM clay.push_jobs")
    assert [row.status for row in ours] == ["completed"] * (PUSHES + EXPORTS)
    assert sum(row.push_mode == "auto" for row in ours) == EXPORTS
    theirs = await a.connection.fetch("SELECT id, status, error_message, progress_percentage FROM sourcing_jobs")
    assert {row["id"] for row in theirs} == host_job_ids
    ends = {(row["status"], row["error_message"], row["progress_percentage"]) for row in theirs}
    assert ends == {("completed", None, 100)}
    steps = await a.connection.fetchval("SELECT count(*) FROM job_progress WHERE status = 'completed'")
    assert steps == 3 * len(theirs)


async def _projects(connection: asyncpg.Connection, org_id: UUID, vintage: Vintage) -> list[tuple[UUID, list[UUID]]]:
    """One project an auto-export, all of the same organization, with the rule on."""
    made = await load_bulk(connection, vintage, organizations=EXPORTS, leads_per_project=LEADS)
    found = []
    for project in made:
        await connection.execute(
            "UPDATE projects SET org_id = $1, auto_export_clay_enabled = true WHERE id = $2", org_id, project.project_id
        )
        rows = await connection.fetch(
            f"SELECT {name_in('lead_id', vintage)} FROM lead_scores WHERE project_id = $1", project.project_id
        )
        found.append((project.project_id, [row[0] for row in rows]))
    return found
