"""Measures many paced workspaces on one worker: their share of the pace, POSTs above it, lateness, and CPU per lead compared with an unpaced push."""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.receiver import Notes, noting_receiver
from bench.speed import WARM_UP_LEADS, one_push
from bench.stage import Stage, checkpoint, stage, vacuum
from clay_push_service.local_database.postgres import Server

SECONDS = 60.0
WARM_UP_SECONDS = 10.0
UNPACED_LEADS = 10_000
SHARE_OF_UNPACED = 0.55
"""The sum of all paces, as a share of the unpaced rate."""


@dataclass(frozen=True, slots=True)
class Group:
    """Workspaces with the same pace."""

    number: int
    interval_ms: int


@dataclass(frozen=True, slots=True)
class Workspaces:
    """One worker serves paced workspaces for SECONDS after a warm-up. Times are of the receiver's clock."""

    groups: tuple[Group, ...]
    leads_per_second: float
    slowest_percent: float
    """The slowest workspace's rate, in percent of its pace. Target: at least 97."""
    fastest_percent: float
    """The fastest workspace's rate, in percent of its pace. Target: at most 103."""
    median_percent: float
    most_over_in_a_second: int
    """POSTs of a workspace above its limit in any second. Target: at most 1."""
    late_ms_p99: float
    """Delay of POSTs behind an even grid at the workspace's pace, which starts with its earliest POST. Target: under 150."""
    worker_cores: float
    postgres_cores: float
    worker_cpu_ms_per_lead: float
    postgres_cpu_ms_per_lead: float


@dataclass(frozen=True, slots=True)
class Result:
    unpaced_leads_per_second: float
    unpaced_worker_cpu_ms_per_lead: float
    unpaced_postgres_cpu_ms_per_lead: float
    runs: list[Workspaces]


def lateness_ms(times: Sequence[float], interval: float) -> list[float]:
    """Returns the delay of each POST in ms, behind the latest even grid that no POST precedes."""
    behind = [moment - number * interval for number, moment in enumerate(times)]
    first = min(behind)
    return [(each - first) * 1000 for each in behind]


def most_in_a_second(times: Sequence[float]) -> int:
    most, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def serve(at: Stage, notes: Notes, groups: Sequence[Group], seconds: float = SECONDS) -> Workspaces:
    intervals: dict[str, float] = {}
    jobs = []
    for group in groups:
        leads = int((seconds + WARM_UP_SECONDS + 15) * 1000 / group.interval_ms) + 1
        for organization in await at.organizations(group.number, leads):
            await at.configure(organization, notes.port, group.interval_ms)
            intervals[organization.webhook] = group.interval_ms / 1000
            jobs.append(organization)
    await vacuum(at.url)
    await checkpoint(at.server)
    async with at.running(1, notes.port) as [worker]:
        for organization in jobs:
            await at.push(organization)
        await asyncio.sleep(WARM_UP_SECONDS)
        notes.take()
        began, cpu, postgres_cpu = time.monotonic(), worker.cpu_seconds(), at.postgres_cpu_seconds()
        await asyncio.sleep(seconds)
        taken = time.monotonic() - began
        cpu, postgres_cpu = worker.cpu_seconds() - cpu, at.postgres_cpu_seconds() - postgres_cpu
        arrivals = [each for each in notes.take() if began <= each.at <= began + taken]
    times: defaultdict[str, list[float]] = defaultdict(list)
    for arrival in arrivals:
        times[arrival.webhook].append(arrival.at)
    shares, over, late = [], [], []
    for webhook, interval in intervals.items():
        own = sorted(times[webhook])
        shares.append(len(own) * interval / taken * 100 if own else 0.0)
        over.append(most_in_a_second(own) - round(1 / interval) if own else 0)
        late += lateness_ms(own, interval) if own else []
    shares.sort()
    late.sort()
    return Workspaces(
        tuple(groups), len(arrivals) / taken, shares[0], shares[-1], statistics.median(shares), max(over),
        late[int(len(late) * 0.99)] if late else float("inf"), cpu / taken, postgres_cpu / taken,
        cpu / max(len(arrivals), 1) * 1000, postgres_cpu / max(len(arrivals), 1) * 1000,
    )  # fmt: skip


async def run(server: Server, seconds: float = SECONDS, numbers: Sequence[int] = ()) -> Result:
    """`numbers` are numbers of workspaces at 5/s. By default the unpaced rate determines them."""
    async with stage(server) as at:
        [organization] = await at.organizations(1, UNPACED_LEADS)
        with noting_receiver() as notes:
            await at.configure(organization, notes.port, 0)
            await vacuum(at.url)
            async with at.running(1, notes.port) as running:
                await one_push(at, organization, running, organization.lead_ids[:WARM_UP_LEADS])
                unpaced = [await one_push(at, organization, running) for _ in range(3)]
    rate = statistics.median(each.leads_per_second for each in unpaced)
    many = [[Group(number, 200)] for number in numbers or (int(rate * SHARE_OF_UNPACED / 5),)]
    if not numbers:
        many += [[Group(1000, 1000)], [Group(40, 100), Group(150, 200)]]
    runs = []
    for groups in many:
        async with stage(server) as at:
            with noting_receiver() as notes:
                runs.append(await serve(at, notes, groups, seconds))
    return Result(
        rate, statistics.median(each.cpu_ms_per_lead for each in unpaced),
        statistics.median(each.postgres_cpu_ms_per_lead for each in unpaced), runs,
    )  # fmt: skip


def table(result: Result) -> str:
    head = f"{'workspaces':<24}{'leads/s':>9}{'slowest':>10}{'median':>9}{'fastest':>9}{'over':>6}{'late p99':>10}"
    unpaced = (result.unpaced_worker_cpu_ms_per_lead, result.unpaced_postgres_cpu_ms_per_lead)
    lines = [
        "unpaced: {:,.0f} leads/s, CPU ms per lead {:.3f}, PostgreSQL {:.3f}".format(
            result.unpaced_leads_per_second, *unpaced
        )
    ]
    lines.append(f"{head}{'cores':>7}{'PG':>6}{'CPU/lead':>10}{'times':>7}{'PG/lead':>9}{'times':>7}")
    for each in result.runs:
        name = ", ".join(f"{group.number} at {1000 / group.interval_ms:g}/s" for group in each.groups)
        lines.append(
            f"{name:<24}{each.leads_per_second:>9,.0f}{each.slowest_percent:>9.1f}%{each.median_percent:>8.1f}%"
            f"{each.fastest_percent:>8.1f}%{each.most_over_in_a_second:>6}{each.late_ms_p99:>7.0f} ms"
            f"{each.worker_cores:>7.2f}{each.postgres_cores:>6.2f}{each.worker_cpu_ms_per_lead:>10.3f}"
            f"{each.worker_cpu_ms_per_lead / result.unpaced_worker_cpu_ms_per_lead:>7.2f}{each.postgres_cpu_ms_per_lead:>9.3f}"
            f"{each.postgres_cpu_ms_per_lead / result.unpaced_postgres_cpu_ms_per_lead:>7.2f}"
        )
    lines.append("targets: within 3 %, over <= 1, late p99 < 150 ms, CPU/lead <= 1.5 times, PostgreSQL <= 2 times")
    return "\n".join(lines)
