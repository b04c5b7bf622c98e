"""Measures the pace at the receiver: total time, gaps and POSTs per second, with one and two workers and 50 organizations."""

import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.receiver import Notes, noting_receiver
from bench.stage import Stage, checkpoint, stage
from clay_push_service.local_database.postgres import Server

LEADS = 300
MANY = 50
MANY_LEADS = 40
MANY_MS = 200


@dataclass(frozen=True, slots=True)
class Paced:
    interval_ms: int
    workers: int
    leads: int
    seconds: float
    """From the first POST to the last."""
    over_arithmetic_percent: float
    """Deviation from the time of (n-1) intervals. Target: at most 3."""
    gaps_of_95_percent: float
    """Share of the gaps that are at least 95 % of the interval, in percent. Target: at least 99."""
    smallest_gap_percent: float
    """The smallest gap, in percent of the interval. Target: at least 80."""
    most_over_in_a_second: int
    """POSTs above the limit in any second. Target: at most 1."""

    @property
    def holds(self) -> bool:
        return (
            abs(self.over_arithmetic_percent) <= 3
            and self.gaps_of_95_percent >= 99
            and self.smallest_gap_percent >= 80
            and self.most_over_in_a_second <= 1
        )


@dataclass(frozen=True, slots=True)
class Many:
    organizations: int
    interval_ms: int
    slowest_percent: float
    """The slowest organization's rate, in percent of its pace. Target: at least 95."""
    median_percent: float
    smallest_gap_percent: float
    worker_cores: float
    """CPU seconds per second, as in the next figure."""
    postgres_cores: float


@dataclass(frozen=True, slots=True)
class Pace:
    single: list[Paced]
    many: Many


def judge(times: Sequence[float], interval_ms: int, workers: int) -> Paced:
    times, interval = sorted(times), interval_ms / 1000
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    ideal = interval * len(gaps)
    limit = round(1 / interval)
    most, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return Paced(
        interval_ms, workers, len(times), times[-1] - times[0], ((times[-1] - times[0]) / ideal - 1) * 100,
        sum(gap >= 0.95 * interval for gap in gaps) / len(gaps) * 100, min(gaps) / interval * 100, most - limit,
    )  # fmt: skip


async def single(at: Stage, notes: Notes, interval_ms: int, workers: int, leads: int = LEADS) -> Paced:
    [organization] = await at.organizations(1, leads)
    await at.configure(organization, notes.port, interval_ms)
    await checkpoint(at.server)
    async with at.running(workers, notes.port):
        job_id = await at.push(organization)
        await at.ended([job_id], leads * interval_ms / 1000 * 1.5 + 20)
    times = [arrival.at for arrival in notes.take()]
    assert len(times) == leads, len(times)
    return judge(times, interval_ms, workers)


async def many(at: Stage, notes: Notes, number: int = MANY, leads: int = MANY_LEADS, **settings: object) -> Many:
    organizations = await at.organizations(number, leads)
    for organization in organizations:
        await at.configure(organization, notes.port, MANY_MS)
    await checkpoint(at.server)
    async with at.running(1, notes.port, **settings) as [worker]:
        jobs = [await at.push(organization) for organization in organizations]
        began, cpu, postgres_cpu = time.monotonic(), worker.cpu_seconds(), at.postgres_cpu_seconds()
        seconds = await at.ended(jobs, leads * MANY_MS / 1000 * 5 + 60) - began
        cpu, postgres_cpu = worker.cpu_seconds() - cpu, at.postgres_cpu_seconds() - postgres_cpu
    times: defaultdict[str, list[float]] = defaultdict(list)
    for arrival in notes.take():
        times[arrival.webhook].append(arrival.at)
    assert {len(each) for each in times.values()} == {leads}
    assert len(times) == number
    judged = [judge(each, MANY_MS, 1) for each in times.values()]
    got = sorted(100 / (1 + each.over_arithmetic_percent / 100) for each in judged)
    return Many(
        number, MANY_MS, got[0], got[len(got) // 2], min(each.smallest_gap_percent for each in judged),
        cpu / seconds, postgres_cpu / seconds,
    )  # fmt: skip


async def run(server: Server, leads: int = LEADS) -> Pace:
    async with stage(server) as at:
        with noting_receiver() as notes:
            singles = [
                await single(at, notes, interval_ms, workers, leads) for interval_ms in (200, 100) for workers in (1, 2)
            ]
            return Pace(singles, await many(at, notes))


def table(pace: Pace) -> str:
    head = f"{'pace':>7}{'workers':>9}{'leads':>7}{'seconds':>9}{'over %':>8}{'gaps >= 95 %':>14}{'smallest gap':>14}"
    lines = [f"{head}{'most over in 1 s':>18}"]
    lines += [
        f"{each.interval_ms:>4} ms{each.workers:>9}{each.leads:>7}{each.seconds:>9.2f}{each.over_arithmetic_percent:>8.2f}"
        f"{each.gaps_of_95_percent:>12.1f} %{each.smallest_gap_percent:>12.0f} %{each.most_over_in_a_second:>18}"
        f"{'' if each.holds else '   MISSED'}"
        for each in pace.single
    ]
    lines.append("targets: over within 3 %, 99 % of gaps >= 95 %, smallest >= 80 %, most over <= 1")
    lines.append(
        f"{pace.many.organizations} organizations at {pace.many.interval_ms} ms on one worker: slowest got"
        f" {pace.many.slowest_percent:.1f} % of its pace (target 95), median {pace.many.median_percent:.1f} %,"
        f" smallest gap {pace.many.smallest_gap_percent:.0f} %, {pace.many.worker_cores:.2f} of a core"
    )
    return "\n".join(lines)
