"""Computes the verdict of a soak test: pace by organization, memory by worker, lost and duplicate leads. Pure functions."""

import itertools
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.pace import judge
from bench.receiver import Arrival

PACE_MS = 200
KILL_WINDOW_SECONDS = 75.0
"""After a kill -9, the killed worker's push jobs stop until a sweep (every 30 s) finds them idle for 30 s. Near their end, if only
leads are left that the worker had claimed, they stop until its leases end (75 s)."""
FLAT = 1.05
"""Limit for the memory of the last third of the workers, as a multiple of the first third."""
LEAST_READINGS = 6
"""Minimum number of memory readings to judge growth."""


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """One worker process, from its start to its end."""

    started_seconds: float
    """Seconds since the start of the soak, as in the next figure."""
    ended_seconds: float
    ended_by: str
    """`SIGTERM`, `SIGKILL` or `the end`. Every other value is an unexpected exit."""
    memory_mb: float | None
    """Memory 50 s after the start; None if the worker ended earlier."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of `clay_push_log` at the end."""

    delivery: str
    organization: str
    lead: str
    status: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class Got:
    """The POSTs of one organization at the receiver."""

    organization: str
    posts: int
    smallest_gap_ms: float
    most_over_in_a_second: int
    share_of_pace: float
    """The ideal time, divided by the time from the first POST to the last, including kills."""
    share_outside_kills: float
    """The same share, without gaps that start in the window after a kill -9."""
    longest_pause_seconds: float


@dataclass(frozen=True, slots=True)
class Soak:
    minutes: float
    leads: int
    received: int
    kills: int
    lost: int
    """Leads that did not arrive, or that arrived and are not recorded as sent, except unknown ones."""
    doubled_deliveries: int
    doubled_leads: int
    unknown: int
    unknown_that_came: int
    unexplained: int
    """Unknown leads that were not in flight when a worker was killed."""
    violations: list[str]
    """Violations that `clay-push verify` finds."""
    organizations: list[Got]
    worker_runs: list[WorkerRun]

    @property
    def restarts(self) -> int:
        return sum(each.ended_by in {"SIGTERM", "SIGKILL"} for each in self.worker_runs)

    @property
    def memory_thirds(self) -> tuple[float, float] | None:
        """Returns the median memory of the first third of the workers, and of the last third."""
        read = [each.memory_mb for each in self.worker_runs if each.memory_mb is not None]
        if len(read) < LEAST_READINGS:
            return None
        third = len(read) // 3
        return statistics.median(read[:third]), statistics.median(read[-third:])

    @property
    def failures(self) -> list[str]:
        """Returns the failures. An empty list means success."""
        failures = [f"{self.lost} lost"] if self.lost else []
        if max(self.doubled_deliveries, self.doubled_leads) > self.unknown:
            failures.append(f"{max(self.doubled_deliveries, self.doubled_leads)} doubled with {self.unknown} uncertain")
        if self.unexplained:
            failures.append(f"{self.unexplained} unknown that no kill explains")
        if (thirds := self.memory_thirds) and thirds[1] > FLAT * thirds[0]:
            failures.append(f"memory is not flat: {thirds[0]:.0f} MB, then {thirds[1]:.0f} MB")
        expected = {"SIGTERM", "SIGKILL", "the end"}
        failures += [f"a worker ended by {each.ended_by}" for each in self.worker_runs if each.ended_by not in expected]
        return failures + [f"verify: {name}" for name in self.violations]


def compute_verdict(
    minutes: float, arrivals: Sequence[Arrival], log: Iterable[Logged], at_kills: set[str], kills: Sequence[float],
    worker_runs: list[WorkerRun], violations: list[str],
) -> Soak:  # fmt: skip
    """`at_kills` are deliveries that were in flight at a kill -9. `kills` are the times of the kills, on the clock of the arrivals."""
    rows = list(log)
    times: defaultdict[str, list[float]] = defaultdict(list)
    for arrival in arrivals:
        times[arrival.webhook].append(arrival.at)
    leads = Counter((arrival.webhook, arrival.lead) for arrival in arrivals)
    deliveries = Counter(arrival.delivery for arrival in arrivals)
    unknown = [row for row in rows if row.cause == "unknown"]
    return Soak(
        minutes, len(rows), len(arrivals), len(kills),
        sum(row.cause != "unknown" and not (row.status == "success" and leads[row.organization, row.lead]) for row in rows),
        sum(deliveries.values()) - len(deliveries), sum(leads.values()) - len(leads),
        len(unknown), sum(leads[row.organization, row.lead] > 0 for row in unknown),
        sum(row.delivery not in at_kills for row in unknown), violations,
        [_got(organization, each, kills) for organization, each in sorted(times.items())], worker_runs,
    )  # fmt: skip


def _got(organization: str, times: list[float], kills: Sequence[float]) -> Got:
    times = sorted(times)
    judged = judge(times, PACE_MS, 2)
    gaps = [(first, later - first) for first, later in itertools.pairwise(times)]
    outside = [gap for first, gap in gaps if not any(-1.0 <= first - kill < KILL_WINDOW_SECONDS for kill in kills)]
    return Got(
        organization, len(times), judged.smallest_gap_percent * PACE_MS / 100, judged.most_over_in_a_second,
        100 / (100 + judged.over_arithmetic_percent), len(outside) * PACE_MS / 1000 / sum(outside) if outside else 0.0,
        max(gap for _, gap in gaps),
    )  # fmt: skip


def table(soak: Soak) -> str:
    got, thirds = soak.organizations, soak.memory_thirds
    memory = f"{thirds[0]:.0f} MB, then {thirds[1]:.0f} MB" if thirds else "too few readings to judge"
    verdict = "; ".join(soak.failures)
    lines = [
        (
            f"{soak.minutes:.1f} minutes, {len(got)} organizations at {PACE_MS} ms, {soak.leads:,} leads; two workers, "
            f"{soak.restarts} restarts, {soak.kills} of them kill -9"
        ),
        (
            f"received {soak.received:,} · lost {soak.lost} · doubled {soak.doubled_deliveries} deliveries, "
            f"{soak.doubled_leads} leads · unknown {soak.unknown} ({soak.unexplained} unexplained, "
            f"{soak.unknown_that_came} had come)"
        ),
        (
            f"share of the pace, lowest and median: {_low_and_median(each.share_of_pace for each in got)}; outside "
            f"{KILL_WINDOW_SECONDS:.0f} s after each kill -9: {_low_and_median(each.share_outside_kills for each in got)}"
        ),
        (
            f"smallest gap {min(each.smallest_gap_ms for each in got):.0f} ms, most POSTs over in any second "
            f"{max(each.most_over_in_a_second for each in got)}, longest pause "
            f"{max(each.longest_pause_seconds for each in got):.1f} s"
        ),
        f"memory of a worker after 50 s, first and last third of {len(soak.worker_runs)}: {memory}",
        f"VERDICT: {verdict}" if verdict else "VERDICT: nothing lost, nothing doubled beyond what is uncertain",
    ]
    return "\n".join(lines)


def _low_and_median(shares: Iterable[float]) -> str:
    found = sorted(shares)
    return f"{found[0]:.3f}, {statistics.median(found):.3f}"
