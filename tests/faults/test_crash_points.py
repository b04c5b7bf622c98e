"""A process killed at each point of a push: what was only claimed waits again, what was `sending` is unknown, nothing doubles."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clay_push_service.deliveries.sweep import sweep
from tests.faults.field import Field, broken_ground
from tests.support.receiver import Behaviour, Stall
from tests.support.supervisor import WORKER

LEADS = 60
DYING = "tests.faults.dying"


@asynccontextmanager
async def doomed(database_url: str, directory: Path, *arguments: str) -> AsyncIterator[Field]:
    """No worker runs but those that a test starts; a claim outlives its test."""
    async with broken_ground(
        database_url,
        directory,
        leads=LEADS,
        workers=0,
        command=(DYING, *arguments),
        lease_seconds=60.0,
        delay_seconds=0.01,
    ) as field:
        yield field


async def dies(field: Field) -> None:
    process = await field.workers.start_one()
    assert await field.workers.end_of(process, 20) == -signal.SIGKILL


async def inherit(field: Field) -> None:
    """Time passes and another worker comes by; here in this process."""
    field.fault_over()
    await field.world.fetch(
        "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second' WHERE lease_until > now()"
    )
    async with field.world.database.transaction() as connection:
        await sweep(connection)
    async with field.world.drainer() as drainer:
        await field.world.drain_all(drainer)


async def states(field: Field) -> Counter[str]:
    rows = await field.world.fetch("SELECT state FROM clay.clay_push_log")
    return Counter(row.state for row in rows)


async def test_killed_before_the_commit_of_a_push_nothing_was_ever_asked(database_url: str, tmp_path: Path) -> None:
    async with broken_ground(database_url, tmp_path, leads=LEADS, workers=0) as field:
        w = field.world
        field.workers._command = (DYING, "not_committed", str(w.org_id), str(w.project_id))
        await dies(field)
        for table in ("push_jobs", "clay_push_log", "procrastinate_jobs"):
            assert await w.fetch(f"SELECT 1 FROM clay.{table}") == [], table
        accepted = await w.push()
        await inherit(field)
        await field.account("killed before the commit of a push", accepted.job_id)


async def test_killed_after_the_commit_of_a_push_it_is_drained_although_nobody_was_told(
    database_url: str, tmp_path: Path
) -> None:
    """Nobody listens when the NOTIFY goes out; the wake-up is a row, committed with the deliveries."""
    async with broken_ground(database_url, tmp_path, leads=LEADS, workers=0) as field:
        w = field.world
        field.workers._command = (DYING, "committed", str(w.org_id), str(w.project_id))
        await dies(field)
        [job] = await w.fetch("SELECT id, lead_count FROM clay.push_jobs")
        assert job.lead_count == LEADS
        await inherit(field)
        await field.account("killed after the commit of a push", job.id)
        assert len(field.clay.posts) == LEADS


async def test_killed_after_a_claim_every_lead_waits_again(database_url: str, tmp_path: Path) -> None:
    async with doomed(database_url, tmp_path, "after_claim", "0") as field:
        accepted = await field.world.push()
        await dies(field)
        assert await states(field) == {"claimed": LEADS}
        await inherit(field)
        line = await field.account("killed after a claim", accepted.job_id)
        assert (line.uncertain, len(field.clay.posts)) == (0, LEADS)


async def test_killed_before_the_first_byte_what_was_marked_is_unknown_and_the_rest_waits_again(
    database_url: str, tmp_path: Path
) -> None:
    async with doomed(database_url, tmp_path, "marked_sending", "0") as field:
        accepted = await field.world.push()
        await dies(field)
        found = await states(field)
        assert found["claimed"] >= LEADS // 2, "a window or two are marked, never a whole batch"
        assert found["sending"] > 0
        assert field.clay.posts == []
        await inherit(field)
        line = await field.account("killed with `sending` marked, before the bytes", accepted.job_id, "unknown")
        assert line.uncertain == found["sending"]
        assert len(field.clay.posts) == LEADS - found["sending"]


async def test_killed_in_flight_what_was_sent_is_unknown_and_never_sent_again(
    database_url: str, tmp_path: Path
) -> None:
    async with doomed(database_url, tmp_path) as field:
        field.workers._command = ("clay_push_service.cli", "worker")

        def kill_at_the_fifth(number: int, _body: bytes) -> Behaviour:
            if number == 4:
                os.kill(field.workers.processes[0].pid, signal.SIGKILL)
            return Stall()

        field.clay.behaving = kill_at_the_fifth
        accepted = await field.world.push()
        await dies(field)
        field.clay.behaving = lambda _number, _body: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        await asyncio.sleep(0.05)
        in_flight = {post.lead_id for post in field.clay.posts}
        assert len(in_flight) >= 5
        await inherit(field)
        line = await field.account("killed in flight", accepted.job_id, "unknown")
        assert line.doubled == 0
        rows = await field.world.deliveries(accepted.job_id)
        assert in_flight <= {str(row.contributor_id) for row in rows if row.cause == "unknown"}


@pytest.mark.parametrize("number", [0, 20])
async def test_killed_between_an_answer_and_its_recording_it_is_unknown(
    database_url: str, tmp_path: Path, number: int
) -> None:
    async with doomed(database_url, tmp_path, "answered", str(number)) as field:
        accepted = await field.world.push()
        await dies(field)
        posted = len(field.clay.posts)
        assert posted > number
        await inherit(field)
        line = await field.account(f"killed after {number + 1} answers, unrecorded", accepted.job_id, "unknown")
        assert (line.doubled, len(field.clay.posts)) == (0, len(set(field.clay.leads)))


async def test_killed_after_recording_what_was_recorded_stays(database_url: str, tmp_path: Path) -> None:
    async with doomed(database_url, tmp_path, "recorded", "0") as field:
        accepted = await field.world.push()
        await dies(field)
        before = await field.world.fetch("SELECT id FROM clay.clay_push_log WHERE status = 'success'")
        assert before
        await inherit(field)
        line = await field.account("killed after recording", accepted.job_id, "unknown")
        assert line.doubled == 0
        after = await field.world.fetch("SELECT id FROM clay.clay_push_log WHERE status = 'success'")
        assert {row.id for row in before} <= {row.id for row in after}
        assert (await field.world.job(accepted.job_id)).success_count == len(after)


@pytest.mark.faults
@pytest.mark.parametrize(
    "point",
    ["committed", "after_claim 0", "marked_sending 0", "marked_sending 20", "answered 0", "answered 20", "recorded 0"],
)
async def test_whatever_a_dead_process_left_an_ordinary_worker_ends_by_itself(
    database_url: str, tmp_path: Path, point: str
) -> None:
    """No hand moves a lease or a queue job: it runs out, is swept up, and the leads go on."""
    async with broken_ground(database_url, tmp_path, leads=LEADS, workers=0, delay_seconds=0.01) as field:
        w = field.world
        if point == "committed":
            field.workers._command = (DYING, point, str(w.org_id), str(w.project_id))
        else:
            field.workers._command = (DYING, *point.split())
            await w.push()
        await dies(field)
        field.workers._command = WORKER
        field.fault_over()
        await field.workers.keep(1)
        [job] = await w.fetch("SELECT id, lead_count FROM clay.push_jobs")
        await field.ended(job.id, 30.0)
        may_fail = () if point in {"committed", "after_claim 0"} else ("unknown",)
        line = await field.account(f"{point}, an heir with a lease of 3 s", job.id, *may_fail)
        assert (job.lead_count, line.doubled) == (LEADS, 0)
        assert field.workers.ended == [-signal.SIGKILL], "the heir lives"
