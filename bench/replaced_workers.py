"""Measures paced workspaces while their workers are killed, frozen, added and stopped: POSTs per second, recovery, uncertain leads."""

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bench.receiver import Notes, noting_receiver
from bench.stage import Organization, Stage, WorkerProcess, checkpoint, stage, vacuum
from bench.workspaces import WARM_UP_SECONDS, most_in_a_second
from clay_push_service.local_database.postgres import Server

WORKSPACES = 10
PACE_MS = 100
LATENCY_SECONDS = 0.02
FROZEN_SECONDS = 5.0
BETWEEN_SECONDS = 12.0
"""From one event to the next: longer than a recovery may take."""
EVENTS = ("kill -9", "frozen", "kill -9", "added", "kill -9", "stopped", "kill -9", "frozen")
SHARE_AGAIN = 0.9
"""Of its pace in one second: a workspace with at least that has recovered."""


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    recovered_seconds: float
    """Until every workspace was at its pace again; at most 10."""
    most_uncertain: int
    """Leads of one workspace that a killed worker left marked, and that end as `unknown`; at most 3."""


@dataclass(frozen=True, slots=True)
class Replaced:
    events: list[Event]
    most_in_a_second: int
    """POSTs of one workspace; at most 11."""
    sent: int
    doubled: int
    """Deliveries with more than one POST; 0."""


class _Fleet:
    """The workers, and what is done to them."""

    def __init__(self, at: Stage, port: int) -> None:
        self.at = at
        self.port = port
        self.workers = [at.start_worker(port), at.start_worker(port)]
        self.left: set[UUID] = set()
        """Deliveries that killed workers left marked."""

    async def busiest(self) -> WorkerProcess:
        """The worker that serves the most workspaces, once all are served."""
        while True:
            rows = await self.at.installation.fetch(
                "SELECT workers.pid, count(*) AS served FROM clay.workers JOIN clay.workspaces ON served_by = workers.id"
                " WHERE served_until > now() GROUP BY workers.pid ORDER BY served DESC"
            )
            if sum(row.served for row in rows) == WORKSPACES:
                return next(each for each in self.workers if each.process.pid == rows[0].pid)
            await asyncio.sleep(0.2)

    async def cause(self, event: str) -> int:
        """Returns the most leads of a workspace that a killed worker left marked."""
        if event == "added":
            self.workers.append(self.at.start_worker(self.port))
            return 0
        worker = await self.busiest()
        match event:
            case "frozen":
                os.kill(worker.process.pid, signal.SIGSTOP)
                await asyncio.sleep(FROZEN_SECONDS)
                os.kill(worker.process.pid, signal.SIGCONT)
                return 0
            case "stopped":
                worker.process.terminate()
                self.workers.remove(worker)
                return 0
        marked = await self._kill(worker)
        self.workers.append(self.at.start_worker(self.port))
        return max(marked.values(), default=0)

    async def _kill(self, worker: WorkerProcess) -> Counter[UUID]:
        """Count by organization what it left marked: what another worker has marked is recorded a second later."""
        worker.process.kill()
        worker.process.wait(10)
        self.workers.remove(worker)
        before = await self._sending()
        await asyncio.sleep(1.0)
        after = await self._sending()
        left = {
            delivery_id: org_id for delivery_id, org_id in before.items() if delivery_id in after.keys() - self.left
        }
        self.left |= left.keys()
        return Counter(left.values())

    async def _sending(self) -> dict[UUID, UUID]:
        rows = await self.at.installation.fetch("SELECT id, org_id FROM clay.clay_push_log WHERE state = 'sending'")
        return {row.id: row.org_id for row in rows}

    def end(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.wait(30)


def recovered_after(times: Sequence[float], event_at: float, until: float, interval: float) -> float:
    """Seconds from the event until the last second in which a workspace had less than its pace."""
    wanted = SHARE_AGAIN / interval
    late = [
        second
        for second in range(int(until - event_at))
        if sum(event_at + second <= each < event_at + second + 1 for each in times) < wanted
    ]
    return float(late[-1] + 1) if late else 0.0


async def _measure(at: Stage, notes: Notes, organizations: Sequence[Organization], events: Sequence[str]) -> Replaced:
    fleet = _Fleet(at, notes.port)
    moments, uncertain = [], []
    try:
        for organization in organizations:
            await at.push(organization)
        await fleet.busiest()
        await asyncio.sleep(WARM_UP_SECONDS)
        notes.take()
        for event in events:
            moments.append(time.monotonic())
            uncertain.append(await fleet.cause(event))
            await asyncio.sleep(max(BETWEEN_SECONDS - (time.monotonic() - moments[-1]), 0.0))
        moments.append(time.monotonic())
        arrivals = notes.take()
    finally:
        fleet.end()
    times: defaultdict[str, list[float]] = defaultdict(list)
    for arrival in arrivals:
        times[arrival.webhook].append(arrival.at)
    made = [
        Event(
            name,
            max(recovered_after(times[each.webhook], began, until, PACE_MS / 1000) for each in organizations),
            uncertain[number],
        )
        for number, (name, began, until) in enumerate(zip(events, moments, moments[1:], strict=False))
    ]
    posts = Counter(each.delivery for each in arrivals)
    return Replaced(
        made,
        max(most_in_a_second(sorted(each)) for each in times.values()),
        len(arrivals),
        sum(number > 1 for number in posts.values()),
    )


async def run(server: Server, events: Sequence[str] = EVENTS) -> Replaced:
    leads = int((WARM_UP_SECONDS + BETWEEN_SECONDS * (len(events) + 2)) * 1000 / PACE_MS)
    async with stage(server) as at:
        with noting_receiver(LATENCY_SECONDS, deliveries=True) as notes:
            organizations = await at.organizations(WORKSPACES, leads)
            for organization in organizations:
                await at.configure(organization, notes.port, PACE_MS)
            await vacuum(at.url)
            await checkpoint(at.server)
            return await _measure(at, notes, organizations, events)


def table(made: Replaced) -> str:
    lines = [f"{'event':<12}{'at the pace again after s':>27}{'uncertain leads of a workspace':>33}"]
    lines += [f"{each.name:<12}{each.recovered_seconds:>27.0f}{each.most_uncertain:>33}" for each in made.events]
    lines.append(
        f"{WORKSPACES} workspaces at {1000 / PACE_MS:g}/s: {made.sent:,} POSTs, most of a workspace in a second"
        f" {made.most_in_a_second}, sent twice {made.doubled}"
    )
    lines.append("targets: again within 10 s, uncertain <= 3, in a second <= 11, sent twice 0")
    return "\n".join(lines)
