"""Measures fairness: the delay of a single lead of organization B, and of A, while A pushes 20,000 leads."""

import asyncio
import statistics
import time
from dataclasses import dataclass

from bench.receiver import Notes, noting_receiver
from bench.stage import Organization, Stage, checkpoint, stage
from clay_push_service.local_database.postgres import Server

LEADS = 20_000
SINGLES = 5
"""Single leads of each organization in one run, one after another."""
PACE_MS = 200


@dataclass(frozen=True, slots=True)
class Fair:
    a_pace_ms: int
    workers: int
    who: str
    """`B`: another organization with a pace of 200 ms; `A`: the one that pushes 20,000."""
    median_seconds: float
    slowest_seconds: float
    """From the commit of the accepted push to the POST at the receiver; at most 2."""


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
        assert job.status == "running", "the 20,000 were gone before the last single lead: nothing was measured"
    notes.take()
    return [Fair(rate_limit_ms, workers, who, statistics.median(each), max(each)) for who, each in waits.items()]


async def run(server: Server, leads: int = LEADS) -> list[Fair]:
    made = []
    with noting_receiver(deliveries=True) as notes:
        for rate_limit_ms, workers in ((0, 1), (0, 2), (PACE_MS, 1)):
            async with stage(server) as at:
                made += await _one(at, notes, rate_limit_ms, workers, leads)
    return made


def table(rows: list[Fair]) -> str:
    lines = [
        f"{'A pushes 20,000':<18}{'workers':>8}{'single lead of':>16}{'median s':>10}{'slowest s':>11}   target 2 s"
    ]
    lines += [
        f"{'unpaced' if row.a_pace_ms == 0 else f'at {row.a_pace_ms} ms':<18}{row.workers:>8}{row.who:>16}"
        f"{row.median_seconds:>10.2f}{row.slowest_seconds:>11.2f}{'' if row.slowest_seconds <= 2 else '   MISSED'}"
        for row in rows
    ]
    return "\n".join(lines)
