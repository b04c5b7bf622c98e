"""Measures three Clay tables of one workspace at the sandbox: the pace in all, the share of each, refusals, and a single lead."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from tests.support.destination_rows import add_second_destination, add_version
from tests.support.sandbox import Arrival, SandboxProcess

from bench.stage import Organization, Stage, checkpoint, stage
from clay_push_service.local_database.postgres import Server

LEADS = 500
"""For each of the three tables."""
INTERVAL_MS = 100
"""Clay's limit: 10 requests/s for a workspace."""
TABLES = ("first", "second", "third")
SINGLES = 5


@dataclass(frozen=True, slots=True)
class Shared:
    workers: int
    leads: int
    per_second: float
    """POSTs in all, while each table has leads to send. Target: 10."""
    refused: int
    """429 responses of the sandbox, which has Clay's limit for the workspace. Target: 0."""
    share_percent: dict[str, float]
    """Of the POSTs while each table has leads to send, in percent of an equal share. Target: 90 to 110."""
    slowest_single_seconds: float
    """From the commit of a push of one lead to the third table until it arrives. Target: at most 2."""

    @property
    def holds(self) -> bool:
        return (
            9.7 <= self.per_second <= 10.3
            and not self.refused
            and all(90 <= share <= 110 for share in self.share_percent.values())
            and self.slowest_single_seconds <= 2
        )


async def _destinations(at: Stage, sandbox: SandboxProcess, organization: Organization) -> dict[str, UUID]:
    """Three destinations of the organization's one workspace, by the name of their webhook."""
    made = at.installation
    await made.configure(sandbox.webhook_url(TABLES[0]), org_id=organization.org_id, rate_limit_ms=INTERVAL_MS)
    [default] = await made.fetch("SELECT id FROM clay.destinations WHERE org_id = :id", id=organization.org_id)
    found = {TABLES[0]: default.id}
    async with made.database.transaction() as connection:
        for name in TABLES[1:]:
            found[name] = await add_second_destination(connection, organization.org_id, table_name=name)
            version_id = uuid4()
            sealed = made.secret_box.seal(sandbox.webhook_url(name), organization.org_id, version_id)
            await add_version(connection, organization.org_id, found[name], version_id=version_id, sealed_url=sealed)
    return found


async def _single(at: Stage, organization: Organization, destination_id: UUID, lead_id: UUID) -> float:
    """Push one lead. Returns the seconds from the commit until Clay has accepted it, on the database's clock."""
    job = await at.installation.push(
        [lead_id], again=True, org_id=organization.org_id, project_id=organization.project_id, destination_id=destination_id,
    )  # fmt: skip
    await at.ended([job.job_id], 30)
    [row] = await at.installation.fetch(
        "SELECT extract(epoch FROM pushed_at - created_at) AS seconds FROM clay.clay_push_log WHERE job_id = :id",
        id=job.job_id,
    )
    return float(row.seconds)


async def _one(at: Stage, sandbox: SandboxProcess, workers: int, leads: int) -> Shared:
    [organization] = await at.organizations(1, leads + SINGLES)
    destinations = await _destinations(at, sandbox, organization)
    before = {name: len(await sandbox.arrivals(name)) for name in TABLES}
    await checkpoint(at.server)
    async with at.running(workers, sandbox.port):
        jobs = [
            (
                await at.installation.push(
                    organization.lead_ids[SINGLES:], again=True, org_id=organization.org_id,
                    project_id=organization.project_id, destination_id=destination_id,
                )
            ).job_id
            for destination_id in destinations.values()
        ]  # fmt: skip
        await asyncio.sleep(5.0)
        singles = [
            await _single(at, organization, destinations[TABLES[2]], lead_id)
            for lead_id in organization.lead_ids[:SINGLES]
        ]
        await at.ended(jobs, leads * len(TABLES) * INTERVAL_MS / 1000 * 2 + 60)
    arrivals = {name: (await sandbox.arrivals(name))[before[name] :] for name in TABLES}
    return _judge(arrivals, workers, leads, max(singles))


def _judge(arrivals: dict[str, list[Arrival]], workers: int, leads: int, slowest_single: float) -> Shared:
    times = {name: sorted(each["monotonic_ns"] / 1e9 for each in found) for name, found in arrivals.items()}
    start, end = max(each[0] for each in times.values()), min(each[-1] for each in times.values())
    within = {name: sum(start <= moment <= end for moment in each) for name, each in times.items()}
    total = sum(within.values())
    refused = sum(each["status"] == 429 for found in arrivals.values() for each in found)
    shares = {name: 100 * count * len(TABLES) / total for name, count in within.items()}
    return Shared(workers, leads, (total - 1) / (end - start), refused, shares, slowest_single)


async def run(server: Server, leads: int = LEADS) -> list[Shared]:
    made = []
    for workers in (1, 3):
        with tempfile.TemporaryDirectory(prefix="clay-push-bench-") as directory:
            async with stage(server) as at, SandboxProcess(Path(directory)) as sandbox:
                for name in TABLES:
                    await sandbox.create_source(name, workspace="customer")
                made.append(await _one(at, sandbox, workers, leads))
    return made


def table(rows: list[Shared]) -> str:
    lines = [
        f"{'workers':>8}{'leads a table':>15}{'POSTs/s':>9}{'429':>5}{'shares %':>22}{'slowest single s':>18}   target 10/s, 0, 90 to 110, 2 s"
    ]
    lines += [
        f"{row.workers:>8}{row.leads:>15,}{row.per_second:>9.2f}{row.refused:>5}"
        f"{' '.join(f'{share:.1f}' for share in row.share_percent.values()):>22}{row.slowest_single_seconds:>18.2f}"
        f"{'' if row.holds else '   MISSED'}"
        for row in rows
    ]
    return "\n".join(lines)
