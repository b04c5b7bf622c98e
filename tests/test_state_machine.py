"""The states of deliveries over the real SQL: whatever workers, callers, crashes and time do, in whatever order, holds.

Each rule is a thing that happens in production; `clay-push verify`'s invariants are asked after every one of them.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clay_push_service.callers.actor import Actor
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
from clay_push_service.destination_settings.config_change import ConfigChange
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.destination_settings.save_config import SaveConfig
from clay_push_service.destinations.guard import Policy, check_url
from clay_push_service.destinations.unsealed import read_destination
from clay_push_service.errors import ConflictError
from clay_push_service.privacy.erase import erase
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.retry import retry
from clay_push_service.push_jobs.schemas import RetryBody
from clay_push_service.sending.open_job import Rules, lock_job, open_job
from tests.support.world import World, world

LEADS = 8
LEASE = timedelta(hours=1)
URL = "https://api.clay.com/v3/sources/webhook/x"
EXPIRE = "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 s' WHERE lease_until > now()"
NOBODY_WAITS = timedelta(days=1)
"""Between two sweeps what is overdue may wait; after one nothing may."""
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
    """A worker's slice: what it believes it holds. It may be wrong, its leases may long have run out."""

    job_id: UUID
    version_id: UUID
    token: UUID
    claimed: dict[UUID, tuple[UUID, int]]
    sending: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)


@dataclass
class Written:
    """Statements of a claim that is over. A worker repeats them when the answer to a COMMIT was lost."""

    token: UUID
    delivery_ids: list[UUID]
    results: list[Result] = field(default_factory=list)


class Deliveries(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    world: ClassVar[World]
    rules_of_opening: ClassVar[Rules]

    def __init__(self) -> None:
        super().__init__()
        self.holders: list[Holder] = []
        self.written: list[Written] = []
        self.may_be_in_clay: Counter[UUID] = Counter()
        self.asked_again: Counter[UUID] = Counter()
        self.uncertain: Counter[UUID] = Counter()
        self.erased: set[UUID] = set()
        self.do(self._fresh())
        self.push(set(range(LEADS)), again=False)

    def do(self, act: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(act)

    async def _fresh(self) -> None:
        await self.world.fetch("UPDATE clay.destinations SET version_id = NULL")
        for emptied in TABLES:
            await self.world.fetch(f"DELETE FROM clay.{emptied}")  # TRUNCATE would cost more than all the steps
        await self.world.configure(URL)

    async def _jobs(self, where: str = "true") -> list[Any]:
        return await self.world.fetch(
            f"SELECT id, destination_version_id FROM clay.push_jobs WHERE {where} ORDER BY created_at"
        )

    @rule(leads=st.sets(st.integers(0, LEADS - 1), min_size=1), again=st.booleans())
    def push(self, leads: set[int], again: bool) -> None:
        wanted = [self.world.lead_ids[index] for index in sorted(leads)]
        try:
            self.do(self.world.push(wanted, again=again))
        except ConflictError:
            return  # no webhook, or a closed one
        if again:
            self.asked_again.update(wanted)

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
            async with self.world.database.transaction() as connection:
                row = await lock_job(connection, job.id)
                if row is None or await open_job(
                    connection, row, self.world.box, self.rules_of_opening, available=True
                ) is None:  # fmt: skip
                    return
            token = uuid4()
            async with self.world.database.transaction() as connection:
                claims = await claim(connection, job.id, token, wanted, LEASE, suspects=suspects)
            if claims:
                held = {each.delivery_id: (each.lead_id, each.attempts) for each in claims}
                self.holders.append(Holder(job.id, job.destination_version_id, token, held))

        self.do(act())

    @precondition(lambda self: any(holder.claimed for holder in self.holders))
    @rule(which=st.integers(0, 9), number=st.integers(1, LEADS))
    def send(self, which: int, number: int) -> None:
        """Mark and POST: from here on Clay may have it."""
        holders = [each for each in self.holders if each.claimed]
        self.send_of(holders[which % len(holders)], number)

    def send_of(self, holder: Holder, number: int) -> None:
        chosen = list(holder.claimed)[:number]

        async def act() -> set[UUID]:
            async with self.world.database.transaction() as connection:
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
        """Clay answers; late: the lease has run out, and somebody has swept."""
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
            async with self.world.database.transaction() as connection:
                await record(connection, results, 30.0)

        self.do(act())
        self.written.append(Written(holder.token, [each.delivery_id for each in results], results))

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 9))
    def repeat(self, which: int) -> None:
        """The answer to a COMMIT was lost, so the worker writes again; meanwhile anything may have happened to its leads."""
        written = self.written[-1 - which % len(self.written)]

        async def act() -> None:
            async with self.world.database.transaction() as connection:
                before = await self.world.fetch("SELECT * FROM clay.clay_push_log ORDER BY seq")
                assert (await record(connection, written.results, 30.0)).written == []
                assert await mark_sending(connection, written.token, written.delivery_ids, LEASE) == set()
                await release(connection, written.token, written.delivery_ids)
            assert await self.world.fetch("SELECT * FROM clay.clay_push_log ORDER BY seq") == before

        self.do(act())

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 9))
    def give_back(self, which: int) -> None:
        holder = self.holders[which % len(self.holders)]

        async def act() -> None:
            async with self.world.database.transaction() as connection:
                await release(connection, holder.token, list(holder.claimed))

        self.do(act())
        self.written.append(Written(holder.token, list(holder.claimed)))
        holder.claimed.clear()

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 9))
    def crash(self, which: int) -> None:
        """Nobody remembers what it held."""
        del self.holders[which % len(self.holders)]

    @rule(expired=st.booleans())
    def time_and_sweep(self, expired: bool) -> None:
        self.sweep(expired)

    def sweep(self, expired: bool) -> None:
        async def act() -> None:
            if expired:
                await self.world.fetch(EXPIRE)
            async with self.world.database.transaction() as connection:
                await sweep(connection, idle_seconds=0)
            async with self.world.database.transaction() as connection:
                assert await verify(connection, timedelta(0)) == []

        self.do(act())

    @rule(which=st.integers(0, 9))
    def lose_the_wake_up(self, which: int) -> None:
        """A worker took the queue job and died, or the queue lost it."""

        async def act() -> None:
            jobs = await self._jobs("status IN ('pending', 'running')")
            if jobs:
                await self.world.fetch(
                    "DELETE FROM clay.procrastinate_jobs WHERE args ->> 'job_id' = CAST(:id AS text)",
                    id=str(jobs[which % len(jobs)].id),
                )

        self.do(act())

    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        async def act() -> None:
            jobs = await self._jobs("status IN ('pending', 'running')")
            if jobs:
                async with self.world.database.transaction() as connection:
                    await cancel(connection, Actor(self.world.org_id, "user:test"), jobs[which % len(jobs)].id)

        self.do(act())

    @rule(which=st.integers(0, 9), named=st.booleans())
    def retry(self, which: int, named: bool) -> None:
        async def act() -> None:
            jobs = await self._jobs("status NOT IN ('pending', 'running') AND failed_count > 0")
            if not jobs:
                return
            job_id = jobs[which % len(jobs)].id
            rows = [row for row in await self.world.deliveries(job_id) if row.status == "failed"]
            leads = [row.contributor_id for row in rows] if named else None
            async with self.world.database.transaction() as connection:
                tables = await self.world.host.tables(connection)
                await retry(
                    connection, tables, Actor(self.world.org_id, "user:test"), job_id, RetryBody(lead_ids=leads)
                )
            self.asked_again.update(leads or [])

        try:
            self.do(act())
        except ConflictError:
            return

    @rule(lead=st.integers(0, LEADS - 1), really=st.sampled_from([False, False, True]))
    def erase(self, lead: int, really: bool) -> None:
        """What is under way is still recorded; what is queued, or pushed later, is not sent (see `send_of`)."""
        if not really:
            return

        async def act() -> None:
            async with self.world.database.transaction() as connection:
                tables = await self.world.host.tables(connection)
                await erase(connection, tables, self.world.org_id, "user:test", [self.world.lead_ids[lead]])

        self.do(act())
        self.erased.add(self.world.lead_ids[lead])

    @rule()
    def change_url(self) -> None:
        self.do(self.world.configure(f"{URL}{uuid4().hex}"))

    @rule(
        change=st.sampled_from(
            [
                ConfigChange(webhook_token="one"),
                ConfigChange(webhook_token=None),
                ConfigChange(webhook_url=URL),
                ConfigChange(table_name="Another", rate_limit_ms=100),
                ConfigChange(quota_limit=None),
            ]
        )
    )
    def save_settings(self, change: ConfigChange) -> None:
        """In mid-push: another token is another version of the same webhook, and an earlier URL may come back."""

        async def act() -> None:
            w = self.world
            async with w.database.transaction() as connection:
                current = await read_destination(connection, w.box, w.org_id, lock=True)
                assert current is not None
                assert current.webhook is not None
                url = change.webhook_url if isinstance(change.webhook_url, str) else current.webhook.url
                checked = check_url(url or "", Policy.of(w.settings))
                await SaveConfig(
                    connection, w.box, w.org_id, "user:test", "api", change, current, checked,
                    unmasked=url == change.webhook_url, internal=False,
                ).run()  # fmt: skip

        self.do(act())

    @rule(really=st.sampled_from([False, False, True]))
    def remove_webhook(self, really: bool) -> None:
        """And set it again at once: a machine without a webhook has nothing to do."""
        if not really:
            return

        async def act() -> None:
            async with self.world.database.transaction() as connection:
                await remove_destination(connection, self.world.org_id, "user:test")
            await self.world.configure(URL)

        self.do(act())

    @rule()
    def time_passes(self) -> None:
        self.do(self.world.fetch("UPDATE clay.clay_push_log SET due_at = now() WHERE due_at > now()"))

    @invariant()
    def what_verify_says(self) -> None:
        async def act() -> list[Any]:
            async with self.world.database.transaction() as connection:
                return await verify(connection, NOBODY_WAITS)

        assert self.do(act()) == []

    @invariant()
    def a_lead_is_sent_again_only_when_asked_or_uncertain(self) -> None:
        for lead_id, times in self.may_be_in_clay.items():
            assert times <= 1 + self.asked_again[lead_id] + self.uncertain[lead_id]

    def teardown(self) -> None:
        """Every worker dies, the queue forgets, time passes, and an ordinary worker comes: everything ends."""
        self.do(self.world.fetch("DELETE FROM clay.procrastinate_jobs"))
        self.sweep(expired=True)

        async def act() -> None:
            for _ in range(6):  # suspects are claimed alone, and poison after three more losses
                await self.world.fetch(EXPIRE)
                async with self.world.database.transaction() as connection:
                    await sweep(connection)
            for job in await self._jobs("status IN ('pending', 'running')"):
                async with self.world.database.transaction() as connection:
                    row = await lock_job(connection, job.id)
                    assert row is not None
                    await open_job(connection, row, self.world.box, self.rules_of_opening, available=True)
                for suspects in (False, True):
                    token = uuid4()
                    await self.world.fetch("UPDATE clay.clay_push_log SET due_at = now() WHERE due_at > now()")
                    async with self.world.database.transaction() as connection:
                        claims = await claim(connection, job.id, token, 100, LEASE, suspects=suspects)
                        await mark_sending(connection, token, [each.delivery_id for each in claims], LEASE)
                        taken = outcome_of(ANSWERS["rejected"], 1, datetime.now(UTC))
                        await record(
                            connection,
                            [
                                Result(
                                    each.delivery_id,
                                    job.id,
                                    job.destination_version_id,
                                    token,
                                    taken,
                                    attempts=each.attempts,
                                )
                                for each in claims
                            ],
                            30.0,
                        )
            assert await self._jobs("status IN ('pending', 'running')") == []
            assert await self.world.fetch("SELECT 1 FROM clay.clay_push_log WHERE state <> 'done'") == []

        self.do(act())
        self.what_verify_says()


@pytest.fixture
def machine(database_url: str) -> Iterator[type[Deliveries]]:
    with asyncio.Runner() as runner:
        made = world(database_url, leads=LEADS, billing_enabled=False, database_pool_size=2)
        Deliveries.runner = runner
        Deliveries.world = runner.run(made.__aenter__())
        Deliveries.rules_of_opening = Rules(Policy.of(Deliveries.world.settings), 30.0, 1800.0)
        yield Deliveries
        runner.run(made.__aexit__(None, None, None))


def run(machine: type[Deliveries], examples: int, steps: int, *, same_every_time: bool) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=same_every_time,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)
def test_whatever_happens_the_invariants_hold(machine: type[Deliveries]) -> None:
    run(machine, 45, 30, same_every_time=True)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_whatever_happens_the_invariants_hold_also_at_random(
    machine: type[Deliveries], capsys: pytest.CaptureFixture[str]
) -> None:
    """Other steps every time; STATE_MACHINE_SEED repeats a run."""
    number = int(os.environ.get("STATE_MACHINE_SEED") or random.SystemRandom().randrange(10**9))
    with capsys.disabled():
        print(f"\nSTATE_MACHINE_SEED={number}")  # noqa: T201 - or nobody could repeat it
    run(seed(number)(machine), 400, 60, same_every_time=False)
