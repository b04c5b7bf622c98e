"""Measures fairness: the delay of single leads of organizations B and A, while A has a push of 50,000 leads or 2,000 push jobs of one."""

import asyncio
import statistics
import time
from dataclasses import dataclass

from bench.receiver import Notes, noting_receiver
from bench.stage import Organization, Stage, checkpoint, stage, vacuum
from clay_push_service.local_database.postgres import Server

LEADS = 50_000
JOBS = 2_000
SINGLES = 5
"""Number of single leads that each organization pushes in one run, one after another."""
PACE_MS = 200
WARM_UP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Fair:
    a_pace_ms: int
    workers: int
    who: str
    """`A` is the organization that pushes many leads. `B` is another one with a pace of 200 ms."""
    median_seconds: float
    slowest_seconds: float
    """Seconds from the commit of the push to the POST at the receiver. Target: at most 2."""


@dataclass(frozen=True, slots=True)
class ManyJobs:
    """A has 2,000 push jobs of one lead; both organizations have a pace of 200 ms."""

    b_median_seconds: float
    b_slowest_seconds: float
    """From the commit of B's push to the POST at the receiver; at most 1."""
    a_pace_percent: float
    """Of its pace, that A got meanwhile; at least 98."""
    worker_cores: float


@dataclass(frozen=True, slots=True)
class Fairness:
    singles: list[Fair]
    many_jobs: ManyJobs


async def _watched(at: Stage, notes: Notes, who: Organization, lead_number: int) -> float:
    """Push one lead and wait for its POST."""
    job_id = await at.push(who, [who.lead_ids[lead_number]])
    committed = time.monotonic()
    await at.ended([job_id], 30)
    [row] = await at.installation.fetch("SELECT id FROM clay.clay_push_log WHERE job_id = :id", id=job_id)
    while True:
        for arrival in notes.take():
            if arrival.delivery == str(row.id):
                return arrival.at - committed
        await asyncio.sleep(0.02)


async def _one(at: Stage, notes: Notes, rate_limit_ms: int, workers: int, leads: int) -> list[Fair]:
    [a] = await at.organizations(1, leads + SINGLES)
    [b] = await at.organizations(1, SINGLES)
    await at.configure(a, notes.port, rate_limit_ms)
    await at.configure(b, notes.port, PACE_MS)
    await checkpoint(at.server)
    waits: dict[str, list[float]] = {"B": [], "A": []}
    async with at.running(workers, notes.port):
        many = await at.push(a, a.lead_ids[SINGLES:])
        await asyncio.sleep(0.5)
        for number in range(SINGLES):
            waits["B"].append(await _watched(at, notes, b, number))
            waits["A"].append(await _watched(at, notes, a, number))
        [job] = await at.installation.fetch("SELECT status FROM clay.push_jobs WHERE id = :id", id=many)
        assert job.status == "running", "all leads of A were sent before the last single lead, so nothing was measured"
    notes.take()
    return [Fair(rate_limit_ms, workers, who, statistics.median(each), max(each)) for who, each in waits.items()]


async def _many_jobs(at: Stage, notes: Notes, jobs: int) -> ManyJobs:
    [a] = await at.organizations(1, jobs)
    [b] = await at.organizations(1, SINGLES)
    for organization in (a, b):
        await at.configure(organization, notes.port, PACE_MS)
    for lead_id in a.lead_ids:
        await at.push(a, [lead_id])
    await vacuum(at.url)
    await checkpoint(at.server)
    waits, arrivals = [], []
    async with at.running(1, notes.port) as [worker]:
        await asyncio.sleep(WARM_UP_SECONDS)
        notes.take()
        began, cpu = time.monotonic(), worker.cpu_seconds()
        for number in range(SINGLES):
            job_id = await at.push(b, [b.lead_ids[number]])
            committed = time.monotonic()
            await at.ended([job_id], 60)
            arrivals += (seen := notes.take())
            waits.append(next(each.at for each in seen if each.webhook == b.webhook) - committed)
            await asyncio.sleep(2.0)
        arrivals += notes.take()
        taken, cpu = time.monotonic() - began, worker.cpu_seconds() - cpu
    sent = sum(each.webhook == a.webhook for each in arrivals)
    return ManyJobs(statistics.median(waits), max(waits), sent * PACE_MS / 1000 / taken * 100, cpu / taken)


async def run(server: Server, leads: int = LEADS, jobs: int = JOBS) -> Fairness:
    made = []
    with noting_receiver(deliveries=True) as notes:
        for rate_limit_ms, workers in ((0, 1), (0, 2), (PACE_MS, 1)):
            async with stage(server) as at:
                made += await _one(at, notes, rate_limit_ms, workers, leads)
        async with stage(server) as at:
            return Fairness(made, await _many_jobs(at, notes, jobs))


def table(made: Fairness) -> str:
    lines = [
        f"{'A pushes 50,000':<18}{'workers':>8}{'single lead of':>16}{'median s':>10}{'slowest s':>11}   target 2 s"
    ]
    lines += [
        f"{'unpaced' if row.a_pace_ms == 0 else f'at {row.a_pace_ms} ms':<18}{row.workers:>8}{row.who:>16}"
        f"{row.median_seconds:>10.2f}{row.slowest_seconds:>11.2f}{'' if row.slowest_seconds <= 2 else '   MISSED'}"
        for row in made.singles
    ]
    many = made.many_jobs
    lines.append(
        f"A has 2,000 push jobs of one lead: B's single lead after {many.b_median_seconds:.2f} s (median),"
        f" {many.b_slowest_seconds:.2f} s (slowest; target 1 s); A got {many.a_pace_percent:.1f} % of its pace (target 98);"
        f" {many.worker_cores:.2f} of a core"
    )
    return "\n".join(lines)
