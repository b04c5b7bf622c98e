"""The webhook sources and workspaces of a sandbox, with their counters. It does not handle HTTP."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from clay_push_service.sandbox.faults import FaultDice, FaultPlan
from clay_push_service.sandbox.limits import LIFETIME_CAP, TokenBucket, WorkspaceLimits
from clay_push_service.sandbox.store import Arrival, Store, Stored, Value

RECENT_SECONDS = 10.0
NANOSECONDS = 1_000_000_000


@dataclass(slots=True)
class ArrivalStatistics:
    """Statistics of the requests since this process started; `/arrivals` has the complete record."""

    requests: int = 0
    first_wall: float | None = None
    last_wall: float | None = None
    first_ns: int = 0
    last_ns: int = 0
    shortest_gap_ns: int | None = None
    busiest_second: int = 0
    _second: deque[int] = field(default_factory=deque)
    _recent: deque[int] = field(default_factory=lambda: deque(maxlen=20_000))

    def add(self, monotonic_ns: int, wall: float) -> None:
        if self.requests == 0:
            self.first_ns, self.first_wall = monotonic_ns, wall
        else:
            gap = monotonic_ns - self.last_ns
            self.shortest_gap_ns = gap if self.shortest_gap_ns is None else min(gap, self.shortest_gap_ns)
        self.requests += 1
        self.last_ns, self.last_wall = monotonic_ns, wall
        self._recent.append(monotonic_ns)
        self._second.append(monotonic_ns)
        while self._second[0] <= monotonic_ns - NANOSECONDS:
            self._second.popleft()
        self.busiest_second = max(self.busiest_second, len(self._second))

    def per_second_recently(self, now_ns: int) -> float:
        since = now_ns - int(RECENT_SECONDS * NANOSECONDS)
        while self._recent and self._recent[0] < since:
            self._recent.popleft()
        return len(self._recent) / RECENT_SECONDS

    @property
    def mean_gap_ms(self) -> float | None:
        return None if self.requests < 2 else (self.last_ns - self.first_ns) / 1e6 / (self.requests - 1)  # noqa: PLR2004 - a gap needs two


@dataclass(slots=True)
class Source:
    """One webhook. `cap` None: an auto-deleting table, which has no lifetime limit."""

    id: str
    workspace: str
    token: str | None
    cap: int | None
    dice: FaultDice
    submissions: int = 0
    rows: int = 0
    identified: int = 0
    """Rows with a delivery id."""
    duplicates: int = 0
    leads: int = 0
    """Rows with a lead id."""
    repeated_leads: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    arrivals: ArrivalStatistics = field(default_factory=ArrivalStatistics)

    def count(self, arrival: Arrival) -> None:
        self.arrivals.add(arrival.monotonic_ns, arrival.wall)
        if arrival.fault is not None:
            self.faults[arrival.fault] += 1
        if arrival.outcome not in {"accepted", "fault"}:
            self.refused[arrival.outcome] += 1

    def count_row(self, arrival: Arrival, stored: Stored) -> None:
        if arrival.row is None:
            return
        self.rows += 1
        self.identified += arrival.row.delivery_id is not None
        self.duplicates += stored.duplicate
        self.leads += arrival.row.lead_id is not None
        self.repeated_leads += stored.repeated_lead

    def reset_row_counts(self) -> None:
        """Submissions stay: deleting rows does not restore quota."""
        self.rows = self.identified = self.duplicates = self.leads = self.repeated_leads = 0


class Registry:
    """All sources and workspaces. A change is committed before it takes effect."""

    def __init__(self, store: Store, default_limits: WorkspaceLimits, default_plan: FaultPlan) -> None:
        self._store = store
        self._default_limits = default_limits
        self._default_plan = default_plan
        self.sources: dict[str, Source] = {}
        self._buckets: dict[str, TokenBucket] = {}

    async def load(self) -> None:
        for name, rate, burst in await self._store.query("SELECT id, rate, burst FROM workspaces"):
            limits = WorkspaceLimits(None if rate is None else _number(rate), int(_number(burst)))
            self._buckets[str(name)] = TokenBucket(limits, time.monotonic())
        for source_id, workspace, token, cap, submissions in await self._store.query(
            "SELECT id, workspace, token, cap, submissions FROM sources"
        ):
            source = self._new(str(source_id), str(workspace), _text(token), None if cap is None else int(_number(cap)))
            source.submissions = int(_number(submissions))
        for source_id, *counts in await self._store.query(
            "SELECT source, count(*), count(delivery_id), sum(duplicate), count(lead_id), sum(repeated_lead) FROM rows GROUP BY 1"
        ):
            if found := self.sources.get(str(source_id)):
                found.rows, found.identified, found.duplicates, found.leads, found.repeated_leads = (
                    int(_number(count)) for count in counts
                )
        for source_id, outcome, fault, count in await self._store.query(
            "SELECT source, outcome, fault, count(*) FROM arrivals GROUP BY 1, 2, 3"
        ):
            if found := self.sources.get(str(source_id)):
                if fault is not None:
                    found.faults[str(fault)] += int(_number(count))
                if outcome not in {"accepted", "fault"}:
                    found.refused[str(outcome)] += int(_number(count))

    def _new(self, source_id: str, workspace: str, token: str | None, cap: int | None) -> Source:
        source = Source(source_id, workspace, token, cap, FaultDice(self._default_plan, source_id))
        self.sources[source_id] = source
        return source

    def bucket(self, workspace: str) -> TokenBucket:
        if workspace not in self._buckets:
            self._buckets[workspace] = TokenBucket(self._default_limits, time.monotonic())
        return self._buckets[workspace]

    async def limit(self, workspace: str, limits: WorkspaceLimits) -> None:
        await self._store.change(
            (
                "INSERT OR REPLACE INTO workspaces (id, rate, burst) VALUES (?, ?, ?)",
                (workspace, limits.rate_per_second, limits.burst),
            )
        )
        self._buckets[workspace] = TokenBucket(limits, time.monotonic())

    async def create(
        self, source_id: str, *, workspace: str = "default", token: str | None = None, cap: int | None = LIFETIME_CAP
    ) -> Source:
        await self._store.change(
            (
                "INSERT INTO sources (id, workspace, token, cap, created_at) VALUES (?, ?, ?, ?, ?)",
                (source_id, workspace, token, cap, time.time()),
            )
        )
        return self._new(source_id, workspace, token, cap)

    async def change(self, source: Source, *, token: str | None, cap: int | None, submissions: int) -> None:
        await self._store.change(
            (
                "UPDATE sources SET token = ?, cap = ?, submissions = ? WHERE id = ?",
                (token, cap, submissions, source.id),
            )
        )
        source.token, source.cap, source.submissions = token, cap, submissions

    def plan(self, source: Source, plan: FaultPlan) -> None:
        """Set the faults of a source, in memory only: a restart restores the plan of the command line."""
        source.dice = FaultDice(plan, source.id)

    async def delete(self, source: Source) -> None:
        del self.sources[source.id]
        await self._store.change(
            ("DELETE FROM rows WHERE source = ?", (source.id,)),
            ("DELETE FROM arrivals WHERE source = ?", (source.id,)),
            ("DELETE FROM sources WHERE id = ?", (source.id,)),
        )

    async def delete_rows(self, source: Source) -> None:
        await self._store.change(("DELETE FROM rows WHERE source = ?", (source.id,)))
        source.reset_row_counts()


def _number(value: Value) -> float:
    return float(value or 0)


def _text(value: Value) -> str | None:
    return None if value is None else str(value)
