"""The shipped rate controller meets its targets in the simulation, which has its own clock and is deterministic."""

import itertools
from collections.abc import Callable

import pytest
from bench.rate_candidates import Cubic, Doubling, Shipped
from bench.rate_comparison import SET_INTERVAL, targets
from bench.rate_receivers import Bursts, EveryNth, Outage, Post, Receiver, Run, SharedBucket, TokenBucket
from bench.rate_simulation import Controller, Simulation


def simulated(controller: Controller, receiver: Receiver, *, seconds: float, leads: int | None = None) -> Run:
    return Simulation(controller, receiver, workers=2, leads=leads).run(seconds)


def shipped() -> Controller:
    return Shipped.create(SET_INTERVAL)


def test_the_shipped_controller_meets_every_target() -> None:
    measured = targets("shipped", Shipped.create)
    assert measured.meets_targets, measured


def test_the_earlier_controller_missed_the_targets() -> None:
    measured = targets("before", Doubling)
    assert measured.every_11th_seconds > 400
    assert measured.arrived_per_second < 2.4
    assert not measured.meets_targets


def test_the_shipped_controller_behaves_like_the_documented_cubic_candidate() -> None:
    receivers: list[Callable[[], Receiver]] = [
        lambda: TokenBucket(3.0, 3.0, lifted_at=60.0),
        lambda: Outage(20.0, 60.0, 30.0),
        lambda: EveryNth(7),
    ]
    for receiver in receivers:
        of_service = simulated(shipped(), receiver(), seconds=120.0)
        of_point = simulated(Cubic(SET_INTERVAL), receiver(), seconds=120.0)
        assert [post.accepted for post in of_service.posts] == [post.accepted for post in of_point.posts]


def test_the_same_seed_gives_the_same_run() -> None:
    runs = [simulated(shipped(), TokenBucket(3.0, 3.0), seconds=60.0) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "receiver",
    [EveryNth(11), TokenBucket(3.0, 1.0), SharedBucket(10.0, 10.0, 7.0, 5.0, 5.0), Bursts(10.0, 3), Outage(10.0, 60.0)],
    ids=lambda receiver: type(receiver).__name__,
)
def test_the_set_pace_is_never_exceeded(receiver: Receiver) -> None:
    """Without latency, arrival times equal send times."""
    run = Simulation(shipped(), receiver, workers=3, latency=(0.0, 0.0)).run(120.0)
    times = sorted(post.arrived_at for post in run.posts)
    assert len(times) > 100
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= SET_INTERVAL - 1e-6


def test_after_an_outage_of_minutes_9_per_second_are_reached_within_seconds_of_success() -> None:
    run = simulated(shipped(), Outage(60.0, 360.0, 60.0), seconds=600.0)
    first = next(post.arrived_at for post in run.posts if post.accepted and post.arrived_at > 60.0 + 10.0)
    assert run.reached(9.0, first) <= 20.0


def test_the_figures_of_a_run_are_computed() -> None:
    run = Run([Post(0.0, accepted=True), Post(1.0, accepted=False), Post(2.0, accepted=True), Post(2.5, accepted=True)])
    assert run.seconds == 2.5
    assert run.accepted_per_second(0.0, 2.5) == 0.8
    assert run.refused_percent(0.5, 2.5) == 50.0
    assert run.refused_percent(5.0, 6.0) == 0.0
    assert run.reached(2.0, 1.0, window=1.0) == 1.5
    assert run.reached(3.0, 0.0, window=1.0) == float("inf")
