"""Compares rate controllers in the simulation, for decision 10: the two targets, other receivers, and the parameters of CUBIC."""

import itertools
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.rate_candidates import Adaptive, Additive, Cubic, Doubling, Multiplicative, Shipped, Throughput
from bench.rate_receivers import Bursts, EveryNth, Outage, RandomShare, Receiver, Run, SharedBucket, TokenBucket
from bench.rate_simulation import Controller, Simulation
from bench.rate_targets import RateFigures

SET_INTERVAL = 0.1
SET_RATE = 10.0
NEARLY = 9.0
"""The rate that counts as recovered."""
LEADS = 311
LONGEST_SECONDS = 3600.0
"""A push that takes this long counts as not ended."""
LATENCIES = ((0.02, 0.05), (0.02, 0.3))
WORKERS = (1, 3)
SEEDS = (1, 2, 3)

Make = Callable[[float], Controller]
CANDIDATES: dict[str, Make] = {
    "doubling (before)": Doubling,
    "AIMD 0.5, +0.5/s": partial(Additive, beta=0.5, per_second=0.5),
    "AIMD 0.7, +0.5/s": partial(Additive, beta=0.7, per_second=0.5),
    "MIMD 0.85 in 12 POSTs": partial(Multiplicative, beta=0.85, posts=12),
    "throughput x 1.2, +3 %/s": partial(Throughput, share=1.2, growth=0.03),
    "throughput x 1.5, +2 %/s": partial(Throughput, share=1.5, growth=0.02),
    "AWS adaptive": Adaptive,
    "CUBIC in POSTs (shipped)": Shipped.create,
}


@dataclass(frozen=True, slots=True)
class Targets(RateFigures):
    """The worst figures of all runs (1 and 3 workers, short and long latency, three seeds)."""

    controller: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Other receivers: medians over the seeds, with two workers, a latency of 20 to 300 ms, and a set pace of 10/s."""

    controller: str
    limits: list[float]
    """Accepted POSTs per second at each of LIMITS."""
    shared: float
    """Accepted POSTs per second in a workspace of 10/s, from which another tool takes 7/s for 20 of every 40 s. At most 6.5 are left."""
    after_outage: list[float]
    """Seconds from the end of an outage of five minutes until 9/s, with `Retry-After: 60` and `Retry-After: 1`."""
    burst_cost: list[float]
    """Lost sending time in seconds: after one 429, after five in a row, and after one with `Retry-After: 30`."""
    random_times: float
    """Total time when 5 % of POSTs are refused at random, as a multiple of the minimum."""


LIMITS = ((3.0, 1.0, 1.0), (1.5, 5.0, 1.0), (8.0, 10.0, 1.0), (3.0, 3.0, 30.0))
"""Rate per second, burst, Retry-After in seconds."""


@dataclass(frozen=True, slots=True)
class Comparison:
    targets: list[Targets]
    elsewhere: list[Elsewhere]
    frontier: list[Targets]


def targets(name: str, make: Make) -> Targets:
    seconds, arrived, refused, reached = [], [], [], []
    for workers, latency, seed in itertools.product(WORKERS, LATENCIES, SEEDS):

        def simulation(
            receiver: Receiver,
            leads: int | None = None,
            workers: int = workers,
            latency: tuple[float, float] = latency,
            seed: int = seed,
        ) -> Simulation:
            return Simulation(make(SET_INTERVAL), receiver, workers=workers, latency=latency, leads=leads, seed=seed)

        run = simulation(EveryNth(11), LEADS).run(LONGEST_SECONDS)
        delivered = sum(post.accepted for post in run.posts) >= LEADS
        seconds.append(run.seconds if delivered else LONGEST_SECONDS)
        run = simulation(TokenBucket(3.0, 3.0, lifted_at=300.0)).run(600.0)
        arrived.append(run.accepted_per_second(0.0, 300.0))
        refused.append(run.refused_percent(30.0, 300.0))
        reached.append(run.reached(NEARLY, 300.0))
    return Targets(max(seconds), min(arrived), max(refused), max(reached), controller=name)


def elsewhere(name: str, make: Make) -> Elsewhere:
    def median(receiver: Callable[[int], Receiver], seconds: float, figure: Callable[[Run], float]) -> float:
        return statistics.median(
            figure(Simulation(make(SET_INTERVAL), receiver(seed), workers=2, seed=seed).run(seconds)) for seed in SEEDS
        )

    def burst_cost(posts: int, retry_after: float) -> float:
        """Simulate ten minutes with nine bursts. Returns the unsent POSTs per burst, in seconds of the set pace."""
        return median(
            lambda _: Bursts(60.0, posts, retry_after),
            605.0,
            lambda run: (600.0 - run.accepted_per_second(0.0, 600.0) * 600.0 / SET_RATE) / 9,
        )

    leads, share = 1000, 0.05
    least = leads / SET_RATE + leads * share / (1 - share) * (1.0 - SET_INTERVAL)
    random_seconds = statistics.median(
        Simulation(make(SET_INTERVAL), RandomShare(share, seed), workers=2, leads=leads, seed=seed).run(1e5).seconds
        for seed in SEEDS
    )
    return Elsewhere(
        name,
        [median(partial(_bucket, limit), 600.0, lambda run: run.accepted_per_second(30.0, 600.0)) for limit in LIMITS],
        median(
            lambda _: SharedBucket(10.0, 10.0, 7.0, 20.0, 20.0), 600.0, lambda run: run.accepted_per_second(0.0, 600.0)
        ),
        [
            median(partial(_outage, retry_after), 1200.0, lambda run: run.reached(NEARLY, 360.0))
            for retry_after in (60.0, 1.0)
        ],
        [burst_cost(1, 1.0), burst_cost(5, 1.0), burst_cost(1, 30.0)],
        random_seconds / least,
    )


def _bucket(limit: tuple[float, float, float], seed: int) -> Receiver:  # noqa: ARG001 - it has no randomness
    rate, burst, retry_after = limit
    return TokenBucket(rate, burst, retry_after)


def _outage(retry_after: float, seed: int) -> Receiver:  # noqa: ARG001 - it has no randomness
    return Outage(60.0, 360.0, retry_after)


def run() -> Comparison:
    points = itertools.product((0.7, 0.8, 0.9), (12, 15, 20, 25), (0.3, 2.0))
    return Comparison(
        [targets(name, make) for name, make in CANDIDATES.items()],
        [elsewhere(name, make) for name, make in CANDIDATES.items()],
        [
            targets(
                f"CUBIC keeps {kept:g}, {posts} POSTs, probing {probing:g}",
                partial(Cubic, kept=kept, posts=posts, probing=probing),
            )
            for kept, posts, probing in points
        ],
    )


def table(comparison: Comparison) -> str:
    head = f"{'worst of 12 runs':<38}{'311 leads s':>12}{'arrived/s':>11}{'refused %':>11}{'to 9/s s':>10}"
    lines = [head]
    for rows in (comparison.targets, comparison.frontier):
        lines += [
            f"{row.controller:<38}{row.every_11th_seconds:>12.0f}{row.arrived_per_second:>11.2f}"
            f"{row.refused_percent:>11.1f}{row.reached_seconds:>10.1f}{'' if row.meets_targets else '   MISSED'}"
            for row in rows
        ]
        lines.append("")
    lines.append("targets: at most 124 s, at least 2.4/s, at most 10 %, at most 60 s")
    lines.append(
        f"{'accepted/s at limit, burst, Retry-After':<28}"
        + "".join(f"{f'{rate:g}, {burst:g}, {pause:g}':>11}" for rate, burst, pause in LIMITS)
        + f"{'shared':>9}{'outage 60':>11}{'outage 1':>10}{'one 429':>9}{'five':>7}{'30 s':>7}{'5 % at random':>15}"
    )
    lines += [
        f"{row.controller:<39}"
        + "".join(f"{each:>11.2f}" for each in row.limits)
        + f"{row.shared:>9.2f}{row.after_outage[0]:>9.0f} s{row.after_outage[1]:>8.0f} s"
        + f"{row.burst_cost[0]:>7.1f} s{row.burst_cost[1]:>5.1f} s{row.burst_cost[2]:>5.1f} s{row.random_times:>13.2f} x"
        for row in comparison.elsewhere
    ]
    return "\n".join(lines)
