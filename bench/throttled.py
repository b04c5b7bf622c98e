"""Measures how a worker sends to receivers that respond with 429: one refuses every 11th POST, one has a limit of 3/s that ends."""

import asyncio
from dataclasses import dataclass

from bench.rate_receivers import EveryNth, Post, Run, TokenBucket
from bench.rate_targets import RateFigures
from bench.receiver import Notes, throttling_receiver
from bench.stage import Stage, checkpoint, stage
from clay_push_service.local_database.postgres import Server

INTERVAL_MS = 100
LEADS = 311
LIMITED_SECONDS = 300.0
LIFTED_SECONDS = 60.0
LATENCY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Throttled(RateFigures):
    workers: int
    most_in_a_second: int
    """POSTs in one second, including refused ones. The pace is 10/s. Target: at most 11."""

    @property
    def holds(self) -> bool:
        return self.meets_targets and self.most_in_a_second <= 11


def _seen(notes: Notes) -> Run:
    arrivals = notes.take()
    return Run([Post(each.at - arrivals[0].at, each.accepted) for each in arrivals])


def _most_in_a_second(run: Run) -> int:
    times, first, most = [post.arrived_at for post in run.posts], 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def _every_11th(at: Stage, workers: int) -> Run:
    [organization] = await at.organizations(1, LEADS)
    with throttling_receiver(LATENCY_SECONDS, EveryNth(11)) as notes:
        await at.configure(organization, notes.port, INTERVAL_MS)
        await checkpoint(at.server)
        async with at.running(workers, notes.port):
            job_id = await at.push(organization)
            await at.ended([job_id], 500.0)
        return _seen(notes)


async def _limited(at: Stage, workers: int) -> Run:
    """Push more leads than can be sent in this time, so that the push does not end."""
    [organization] = await at.organizations(1, 2000)
    with throttling_receiver(LATENCY_SECONDS, TokenBucket(3.0, 3.0, lifted_at=LIMITED_SECONDS)) as notes:
        await at.configure(organization, notes.port, INTERVAL_MS)
        await checkpoint(at.server)
        async with at.running(workers, notes.port):
            await at.push(organization)
            await asyncio.sleep(LIMITED_SECONDS + LIFTED_SECONDS + 5.0)
            return _seen(notes)


async def run(server: Server) -> list[Throttled]:
    made = []
    for workers in (1, 2):
        async with stage(server) as at:
            every_11th = await _every_11th(at, workers)
            assert sum(post.accepted for post in every_11th.posts) == LEADS
            limited = await _limited(at, workers)
        made.append(
            Throttled(
                every_11th.seconds,
                limited.accepted_per_second(0.0, LIMITED_SECONDS),
                limited.refused_percent(30.0, LIMITED_SECONDS),
                limited.reached(9.0, LIMITED_SECONDS),
                workers=workers,
                most_in_a_second=max(_most_in_a_second(every_11th), _most_in_a_second(limited)),
            )
        )
    return made


def table(rows: list[Throttled]) -> str:
    head = f"{'workers':<9}{'311 leads s':>12}{'arrived/s':>11}{'refused %':>11}{'to 9/s s':>10}{'most in 1 s':>13}"
    return "\n".join(
        [
            head,
            *(
                f"{row.workers:<9}{row.every_11th_seconds:>12.1f}{row.arrived_per_second:>11.2f}{row.refused_percent:>11.1f}"
                f"{row.reached_seconds:>10.1f}{row.most_in_a_second:>13}{'' if row.holds else '   MISSED'}"
                for row in rows
            ),
            "targets: at most 124 s, at least 2.4/s, at most 10 %, at most 60 s, at most 11",
        ]
    )
