"""Hypothesis rules over the states of deliveries: pushes, slices of workers with claims and responses, crashes and sweeps."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
)

from clay_push_service.clay.outcome import outcome_of
from clay_push_service.clay.response import (
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
    Response,
)
from clay_push_service.deliveries.claim import claim, mark_sending, release
from clay_push_service.deliveries.invariants import verify
from clay_push_service.deliveries.results import Result, record
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.errors import ConflictError
from clay_push_service.sending.open_job import Rules, lock_job, open_job
from tests.harness.installation import Installation

LEADS = 8
LEASE = timedelta(hours=1)
URL = "https://api.clay.com/v3/sources/webhook/x"
EXPIRE = "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 s' WHERE lease_until > now()"
MAX_WAIT = timedelta(days=1)
"""How long a delivery may be overdue between two sweeps. After a sweep, none may be overdue."""
TABLES = (
    "clay_push_log", "push_jobs", "destination_versions", "destinations", "quota_meters", "procrastinate_jobs", "erased_leads",
    "erasures",
)  # fmt: skip
Value = TypeVar("Value")

ANSWERS: dict[str, Response] = {
    "taken": Responded(200, None, b"", 1),
    "rejected": Responded(422, None, b"", 1),
    "unauthorized": Responded(401, None, b"", 1),
    "throttled": Responded(429, "1", b"", 1),
    "failed": Responded(503, None, b"", 1),
    "refused": NotConnected(NotConnectedKind.REFUSED, 1),
    "silent": NoResponse(NoResponseKind.TIMEOUT, 1),
}
SURELY_NOT_TAKEN = {"rejected", "unauthorized", "throttled", "refused"}


@dataclass
class Holder:
    """The state in a worker's memory during a slice. It can be outdated: the leases may have expired."""

    job_id: UUID
    version_id: UUID
    token: UUID
    claimed: dict[UUID, tuple[UUID, int]]
    sending: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)


@dataclass
class Written:
    """Statements that a worker has run for a claim. It repeats them when it gets no response to COMMIT."""

    token: UUID
    delivery_ids: list[UUID]
    results: list[Result] = field(default_factory=list)


class DeliveryRules(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    installation: ClassVar[Installation]
    rules_of_opening: ClassVar[Rules]

    def __init__(self) -> None:
        super().__init__()
        self.holders: list[Holder] = []
        self.written: list[Written] = []
        self.may_be_in_clay: Counter[UUID] = Counter()
        self.requested_again: Counter[UUID] = Counter()
        self.uncertain: Counter[UUID] = Counter()
        self.erased: set[UUID] = set()
        self.do(self._fresh())
        self.push(set(range(LEADS)), again=False)

    def do(self, act: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(act)

    async def _fresh(self) -> None:
        await self.installation.fetch("UPDATE clay.destinations SET version_id = NULL")
        for emptied in TABLES:
            await self.installation.fetch(f"DELETE FROM clay.{emptied}")  # TRUNCATE is slower than all steps together
        await self.installation.configure(URL)

    async def _jobs(self, where: str = "true") -> list[Any]:
        return await self.installation.fetch(
            f"SELECT id, destination_version_id FROM clay.push_jobs WHERE {where} ORDER BY created_at"
        )

    @rule(leads=st.sets(st.integers(0, LEADS - 1), min_size=1), again=st.booleans())
    def push(self, leads: set[int], again: bool) -> None:
        wanted = [self.installation.lead_ids[index] for index in sorted(leads)]
        try:
            self.do(self.installation.push(wanted, again=again))
        except ConflictError:
            return  # the destination has no webhook or is closed
        if again:
            self.requested_again.update(wanted)

    @rule(which=st.integers(0, 9), wanted=st.integers(1, LEADS), suspects=st.booleans(), sends=st.integers(0, LEADS))
    def claim_and_send(self, which: int, wanted: int, suspects: bool, sends: int) -> None:
        before = len(self.holders)
        self.claim(which, wanted, suspects and sends > LEADS // 2)
        if len(self.holders) > before and sends:
            self.send_of(self.holders[-1], sends)

    def claim(self, which: int, wanted: int, suspects: bool) -> None:
        async def act() -> None:
            jobs = await self._jobs("status IN ('pending', 'running')")
            if not jobs:
                return
            job = jobs[which % len(jobs)]
            async with self.installation.database.transaction() as connection:
                row = await lock_job(connection, job.id)
                if row is None or await open_job(
                    connection, row, self.installation.secret_box, self.rules_of_opening, available=True
                ) is None:  # fmt: skip
                    return
            token = uuid4()
            async with self.installation.database.transaction() as connection:
                claims = await claim(connection, job.id, token, wanted, LEASE, suspects=suspects)
            if claims:
                held = {each.delivery_id: (each.lead_id, each.attempts) for each in claims}
                self.holders.append(Holder(job.id, job.destination_version_id, token, held))

        self.do(act())

    @precondition(lambda self: any(holder.claimed for holder in self.holders))
    @rule(which=st.integers(0, 9), number=st.integers(1, LEADS))
    def send(self, which: int, number: int) -> None:
        """Mark deliveries as `sending` and POST them. From now on Clay may have stored them."""
        holders = [each for each in self.holders if each.claimed]
        self.send_of(holders[which % len(holders)], number)

    def send_of(self, holder: Holder, number: int) -> None:
        chosen = list(holder.claimed)[:number]

        async def act() -> set[UUID]:
            async with self.installation.database.transaction() as connection:
                return await mark_sending(connection, holder.token, chosen, LEASE)

        ours = self.do(act())
        for delivery_id in chosen:
            lead_id, attempts = holder.claimed.pop(delivery_id)
            if delivery_id in ours:
                assert lead_id not in self.erased
                holder.sending[delivery_id] = lead_id, attempts
                self.may_be_in_clay[lead_id] += 1

    @precondition(lambda self: any(holder.sending for holder in self.holders))
    @rule(
        which=st.integers(0, 9),
        number=st.integers(1, LEADS),
        answer=st.sampled_from([*sorted(ANSWERS), "taken"]),
        late=st.booleans(),
    )
    def answer(self, which: int, number: int, answer: str, late: bool) -> None:
        """Clay responds. `late`: the lease has expired and a sweep has run before."""
        if late:
            self.sweep(expired=True)
        holders = [each for each in self.holders if each.sending]
        holder = holders[which % len(holders)]
        results = []
        for delivery_id in list(holder.sending)[:number]:
            lead_id, attempts = holder.sending.pop(delivery_id)
            outcome = outcome_of(ANSWERS[answer], attempts + 1, datetime.now(UTC))
            results.append(
                Result(delivery_id, holder.job_id, holder.version_id, holder.token, outcome, attempts=attempts)
            )
            if answer in SURELY_NOT_TAKEN:
                self.may_be_in_clay[lead_id] -= 1
            if answer == "failed":
                self.uncertain[lead_id] += 1

        async def act() -> None:
            async with self.installation.database.transaction() as connection:
                await record(connection, results, 30.0)

        self.do(act())
        self.written.append(Written(holder.token, [each.delivery_id for each in results], results))

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 9))
    def repeat(self, which: int) -> None:
        """The worker got no response to COMMIT and repeats its statements. Meanwhile the states of its leads may have changed."""
        written = self.written[-1 - which % len(self.written)]

        async def act() -> None:
            async with self.installation.database.transaction() as connection:
                before = await self.installation.fetch("SELECT * FROM clay.clay_push_log ORDER BY seq")
                assert (await record(connection, written.results, 30.0)).written == []
                assert await mark_sending(connection, written.token, written.delivery_ids, LEASE) == set()
                await release(connection, written.token, written.delivery_ids)
            assert await self.installation.fetch("SELECT * FROM clay.clay_push_log ORDER BY seq") == before

        self.do(act())

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 9))
    def give_back(self, which: int) -> None:
        holder = self.holders[which % len(self.holders)]

        async def act() -> None:
            async with self.installation.database.transaction() as connection:
                await release(connection, holder.token, list(holder.claimed))

        self.do(act())
        self.written.append(Written(holder.token, list(holder.claimed)))
        holder.claimed.clear()

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 9))
    def crash(self, which: int) -> None:
        """A worker crashes and loses its claims and unwritten results."""
        del self.holders[which % len(self.holders)]

    @rule(expired=st.booleans())
    def time_and_sweep(self, expired: bool) -> None:
        self.sweep(expired)

    def sweep(self, expired: bool) -> None:
        async def act() -> None:
            if expired:
                await self.installation.fetch(EXPIRE)
            async with self.installation.database.transaction() as connection:
                await sweep(connection, idle_seconds=0)
            async with self.installation.database.transaction() as connection:
                assert await verify(connection, timedelta(0)) == []

        self.do(act())

    @rule(which=st.integers(0, 9))
    def lose_the_wake_up(self, which: int) -> None:
        """The queue job is gone: the worker that took it crashed, or the queue lost it."""

        async def act() -> None:
            jobs = await self._jobs("status IN ('pending', 'running')")
            if jobs:
                await self.installation.fetch(
                    "DELETE FROM clay.procrastinate_jobs WHERE args ->> 'job_id' = CAST(:id AS text)",
                    id=str(jobs[which % len(jobs)].id),
                )

        self.do(act())
