"""`python -m bench.soak [minutes]`: 20 organizations at their pace for 30 minutes, a worker restarted every minute (SIGTERM).

Not part of `make bench`, because it takes its time. Memory is read from the worker that is never restarted.
"""

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from bench.receiver import noting_receiver
from bench.stage import Organization, Stage, WorkerProcess, checkpoint, embedded, stage
from clay_push_service.demo.postgres import Server

MINUTES = 30.0
ORGANIZATIONS = 20
PACE_MS = 200
RESTART_SECONDS = 60.0
WARM_UP_SECONDS = 60.0
RESULT = Path(__file__).parent / "results" / "soak.json"


@dataclass(slots=True)
class Soak:
    minutes: float
    leads: int
    restarts: int = 0
    received: int = 0
    lost: int = 0
    doubled: int = 0
    unknown: int = 0
    share_of_pace: list[float] = field(default_factory=list)
    """Of each organization: the arithmetic's time over the time from its first to its last POST."""
    memory_mb: list[float] = field(default_factory=list)
    """Of the lasting worker, one reading a restart; the first after the warm-up."""


def _resident_mb(worker: WorkerProcess) -> float:
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def _restart_others(at: Stage, port: int, soak: Soak, lasting: WorkerProcess) -> None:
    """A second worker comes and goes, a minute at a time, ended with SIGTERM in mid-push."""
    await asyncio.sleep(WARM_UP_SECONDS)
    while True:
        soak.memory_mb.append(round(_resident_mb(lasting), 1))
        async with at.running(1, port):
            await asyncio.sleep(RESTART_SECONDS)
        soak.restarts += 1


async def run(server: Server, minutes: float = MINUTES) -> Soak:
    leads = int(minutes * 60_000 / PACE_MS)
    soak = Soak(minutes, leads * ORGANIZATIONS)
    arrived: dict[str, list[float]] = {}
    deliveries: Counter[str] = Counter()
    with noting_receiver(deliveries=True) as notes:
        async with stage(server) as at:
            organizations: list[Organization] = await at.organizations(ORGANIZATIONS, leads)
            for each in organizations:
                await at.configure(each, notes.port, PACE_MS)
            await checkpoint(at.server)

            def take() -> None:
                for arrival in notes.take():
                    arrived.setdefault(arrival.webhook, []).append(arrival.at)
                    deliveries[arrival.delivery] += 1

            async with at.running(1, notes.port) as [lasting]:
                restarting = asyncio.create_task(_restart_others(at, notes.port, soak, lasting))
                jobs = [await at.push(each) for each in organizations]
                until = time.monotonic() + minutes * 60 * 1.2 + 60
                while time.monotonic() < until:
                    await asyncio.sleep(5)
                    take()
                    live = "SELECT 1 FROM clay.push_jobs WHERE id = ANY(:ids) AND status IN ('pending', 'running')"
                    if not await at.world.fetch(live, ids=jobs):
                        break
                restarting.cancel()
                await asyncio.wait([restarting])
            take()
            [log] = await at.world.fetch("""
                SELECT count(*) FILTER (WHERE cause = 'unknown') AS unknown,
                       count(*) FILTER (WHERE status <> 'success' AND cause IS DISTINCT FROM 'unknown') AS missing
                FROM clay.clay_push_log""")
    soak.received = sum(deliveries.values())
    soak.doubled = sum(times - 1 for times in deliveries.values())
    soak.unknown, soak.lost = log.unknown, log.missing
    soak.share_of_pace = sorted(
        round((len(times) - 1) * PACE_MS / 1000 / (max(times) - min(times)), 4) for times in arrived.values()
    )
    return soak


def table(soak: Soak) -> str:
    first, last = soak.memory_mb[0], soak.memory_mb[-1]
    return (
        f"{soak.minutes:g} minutes, {ORGANIZATIONS} organizations at {PACE_MS} ms, {soak.leads:,} leads, "
        f"{soak.restarts} restarts\nreceived {soak.received:,} · lost {soak.lost} · doubled {soak.doubled} · "
        f"unknown {soak.unknown}\nshare of the pace: lowest {soak.share_of_pace[0]:.4f}, "
        f"median {statistics.median(soak.share_of_pace):.4f}\nmemory of the lasting worker: {first:.0f} MB after the "
        f"first minute, {last:.0f} MB at the end, at most {max(soak.memory_mb):.0f} MB"
    )


async def main(minutes: float) -> None:
    with embedded() as server:
        made = await run(server, minutes)
    print(table(made))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(asdict(made), indent=2) + "\n")


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
