"""The runs of the sandbox's routines: their items, results with deviations, credits and the adjustable clock."""

import hmac
import random
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from clay_push_service.sandbox.faults import FaultDice
from clay_push_service.sandbox.limits import TokenBucket, WorkspaceLimits
from clay_push_service.sandbox.outgoing import Outgoing
from clay_push_service.sandbox.routines_models import ApiPlan, Routine, Scalar

MAX_RUNS = 20_000

Inputs = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    routine_id: str
    items: Sequence[Item]
    started_at: float
    first_number: int
    """How many items were started before this run."""


class _Placeholders(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


@dataclass
class RoutineRuns:
    """The runs in memory. A restart loses all of them, as Clay does after a day."""

    outgoing: Outgoing = field(default_factory=Outgoing)
    plan: ApiPlan = field(default_factory=ApiPlan)
    runs: dict[str, Run] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    """Requests by endpoint, and by endpoint and status, such as `run` and `run 202`."""
    charged: float = 0.0
    repeated_items: int = 0
    """Items that were started more than once, by id: each start was charged."""
    _clock_offset: float = 0.0
    _started_items: int = 0
    _seen_items: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.use(self.plan)

    def use(self, plan: ApiPlan) -> None:
        self.plan = plan
        self.credits_left = plan.credits
        self._dice = {
            name: FaultDice(faults, f"api:{name}")
            for name, faults in (("me", plan.faults.me), ("run", plan.faults.run), ("results", plan.faults.results))
        }
        per_second = None if plan.per_minute is None else plan.per_minute / 60
        limits = WorkspaceLimits(per_second, max(1, (plan.per_minute or 0) // 10))
        self._bucket = TokenBucket(limits, time.monotonic())

    def dice(self, endpoint: str) -> FaultDice:
        return self._dice[endpoint]

    def admits(self) -> bool:
        return self._bucket.take(time.monotonic())

    def now(self) -> float:
        return time.time() + self._clock_offset

    def advance(self, seconds: float) -> None:
        self._clock_offset += seconds

    def can_pay(self, routine: Routine, count: int) -> bool:
        return self.credits_left is None or self.credits_left >= routine.cost * count

    def start(self, routine_id: str, items: Sequence[Item], webhook_id: str | None = None) -> Run:
        cost = self.plan.routines[routine_id].cost * len(items)
        self.charged += cost
        if self.credits_left is not None:
            self.credits_left -= cost
        for item in items:
            self.repeated_items += item.id in self._seen_items
            self._seen_items.add(item.id)
        run = Run(f"rr_{uuid.uuid4().hex}", routine_id, tuple(items), self.now(), self._started_items)
        self._started_items += len(items)
        if len(self.runs) >= MAX_RUNS:
            del self.runs[next(iter(self.runs))]
        self.runs[run.id] = run
        self._report(run, webhook_id)
        return run

    def _chance(self, number: int) -> random.Random:
        """Returns the random numbers of the n-th item that was started: the same seed gives the same ones for any id."""
        return random.Random(f"{self.plan.deviations.seed}:{number}")  # noqa: S311 - repeatable on purpose

    def _report(self, run: Run, webhook_id: str | None) -> None:
        """Send the event of a finished run: signed, without a timestamp in the signature, and without results."""
        webhook = self.plan.webhook
        if webhook is None or webhook_id != webhook.id:
            return
        chance = self._chance(run.first_number)
        lost, doubled = chance.random(), chance.random()
        if lost < webhook.lost:
            return
        event = {
            "webhookId": webhook.id,
            "createdAt": datetime.fromtimestamp(self.now(), UTC).isoformat(),
            "data": {"routine_run_id": run.id},
        }
        body = orjson.dumps(event)
        headers = {"X-Clay-Signature": "sha256=" + hmac.new(webhook.secret.encode(), body, "sha256").hexdigest()}
        for _ in range(2 if doubled < webhook.doubled else 1):
            self.outgoing.send("run webhook", webhook.url, body, headers, self.plan.run_seconds)

    def find(self, run_id: str) -> Run | None:
        run = self.runs.get(run_id)
        return run if run is not None and self.now() < run.started_at + self.plan.keep_seconds else None

    def is_complete(self, run: Run) -> bool:
        return not self.plan.deviations.never_complete and self.now() >= run.started_at + self.plan.run_seconds

    def results(self, run: Run) -> list[dict[str, object]]:
        """Returns the items of `data`. Some may be missing or have another form: see `deviations`."""
        deviations = self.plan.deviations
        routine = self.plan.routines.get(run.routine_id, Routine())
        found: list[dict[str, object]] = []
        for number, item in enumerate(run.items, start=run.first_number):
            chance = self._chance(number)
            missing, unknown, failed, empty = (chance.random() for _ in range(4))
            if missing < deviations.missing_items:
                continue
            if unknown < deviations.unknown_status:
                found.append({"id": item.id, "status": "queued_by_provider"})
            elif failed < deviations.failed:
                found.append({"id": item.id, "status": "failed", "error": "The provider failed"})
            else:
                values = _values(routine, item.inputs, empty=empty < deviations.empty)
                found.append({"id": item.id, "status": "complete", "result": values})
        return found

    def written(self, value: object) -> object:
        """Returns the value with keys and numbers in the form that `deviations` requires."""
        deviations = self.plan.deviations
        if isinstance(value, dict):
            return {
                _other_case(key) if deviations.other_case else key: self.written(each) for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.written(each) for each in value]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if deviations.numbers_as_strings and is_number else value


def _values(routine: Routine, inputs: Inputs, *, empty: bool) -> dict[str, Scalar]:
    if empty:
        return {key: "" if isinstance(value, str) else None for key, value in routine.outputs.items()}
    folded = {key.lower().replace(" ", "_"): str(value) for key, value in inputs.items() if value is not None}
    name = folded.get("full_name", folded.get("name", "Jo Doe")).lower().split() or ["jo"]
    domain = folded.get("company_domain", folded.get("domain", "example.com"))
    words = _Placeholders(first=name[0], last=name[-1], company=folded.get("company_name", "Example"), domain=domain)
    return {
        key: value.format_map(words) if isinstance(value, str) and "{" in value else value
        for key, value in routine.outputs.items()
    }


def _other_case(key: str) -> str:
    return "_".join(part.capitalize() for part in key.replace(" ", "_").split("_"))
