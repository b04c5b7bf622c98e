"""The verdict of a soak detects each kind of failure in prepared arrivals and log rows."""

from dataclasses import replace

import pytest
from bench.receiver import Arrival
from bench.soak_verdict import Logged, Soak, WorkerRun, compute_verdict, table

LEADS = 100
ARRIVALS = [Arrival("org", number * 0.2, f"delivery-{number}", f"lead-{number}") for number in range(LEADS)]
LOG = [Logged(f"delivery-{number}", "org", f"lead-{number}", "success", None) for number in range(LEADS)]
UNKNOWN = [replace(LOG[0], status="failed", cause="unknown"), *LOG[1:]]


def soaked(
    arrivals: list[Arrival] = ARRIVALS, log: list[Logged] = LOG, at_kills: set[str] | None = None,
    kills: tuple[float, ...] = (), memory: tuple[float, ...] = (100.0,) * 6, ended_by: str = "SIGTERM",
) -> Soak:  # fmt: skip
    workers = [WorkerRun(number * 60.0, number * 60.0 + 120.0, ended_by, mb) for number, mb in enumerate(memory)]
    return compute_verdict(1.0, arrivals, log, at_kills or set(), kills, workers, [])


def test_a_soak_without_failures_passes() -> None:
    soak = soaked()
    assert soak.failures == []
    assert soak.organizations[0].share_of_pace == pytest.approx(1.0)
    assert "VERDICT: nothing lost" in table(soak)


def test_a_success_that_did_not_arrive_is_lost() -> None:
    assert soaked(arrivals=ARRIVALS[1:]).failures == ["1 lost"]


def test_a_pending_delivery_is_lost() -> None:
    assert soaked(log=[replace(LOG[0], status="pending"), *LOG[1:]]).failures == ["1 lost"]


def test_a_lead_that_arrived_in_two_deliveries_is_doubled() -> None:
    soak = soaked(arrivals=[*ARRIVALS, replace(ARRIVALS[7], at=30.0, delivery="another")])
    assert (soak.doubled_deliveries, soak.doubled_leads) == (0, 1)
    assert soak.failures == ["1 doubled with 0 uncertain"]


def test_an_unknown_delivery_is_not_a_loss_if_a_kill_explains_it() -> None:
    assert soaked(log=UNKNOWN, at_kills={"delivery-0"}).failures == []
    assert soaked(log=UNKNOWN, at_kills={"delivery-1"}).failures == ["1 unknown that no kill explains"]


def test_memory_that_grows_from_worker_to_worker_is_not_flat() -> None:
    assert soaked(memory=(100, 101, 102, 103, 104, 104)).failures == []
    assert soaked(memory=(100, 100, 103, 106, 109, 112)).failures == ["memory is not flat: 100 MB, then 110 MB"]
    assert soaked(memory=(100, 200)).memory_thirds is None


def test_a_worker_that_exited_unexpectedly_is_named() -> None:
    assert soaked(memory=(100,), ended_by="itself with 70").failures == ["a worker ended by itself with 70"]


def test_the_pause_after_a_kill_counts_only_in_the_whole() -> None:
    late = [replace(each, at=each.at + (40.0 if number >= 50 else 0.0)) for number, each in enumerate(ARRIVALS)]
    [got] = soaked(arrivals=late, kills=(9.5,)).organizations
    assert got.longest_pause_seconds == pytest.approx(40.2)
    assert got.share_of_pace < 0.4
    assert got.share_outside_kills == pytest.approx(1.0)
