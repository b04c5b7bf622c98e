"""Tests the states of deliveries with random orders of actions of workers and callers, crashes and expired leases, on the real SQL.

Each rule is an event that happens in production. After each event, the test checks the invariants of `clay-push verify`.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    rule,
    run_state_machine_as_test,
)

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.outcome import outcome_of
from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.invariants import verify
from clay_push_service.deliveries.results import Result, record
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.destination_settings.config_change import ConfigChange
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.destination_settings.save_config import SaveConfig
from clay_push_service.destinations.guard import Policy, check_url
from clay_push_service.destinations.stored_destination import read_destination
from clay_push_service.errors import ConflictError
from clay_push_service.privacy.erase import erase
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.retry import retry
from clay_push_service.push_jobs.schemas import RetryBody
from clay_push_service.sending.open_job import Rules, lock_job, open_job
from tests.harness.installation import install
from tests.support.delivery_rules import ANSWERS, EXPIRE, LEADS, LEASE, MAX_WAIT, URL, DeliveryRules


class Deliveries(DeliveryRules):
    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        async def act() -> None:
            jobs = await self._jobs("status IN ('pending', 'running')")
            if jobs:
                async with self.installation.database.transaction() as connection:
                    await cancel(connection, Actor(self.installation.org_id, "user:test"), jobs[which % len(jobs)].id)

        self.do(act())

    @rule(which=st.integers(0, 9), named=st.booleans())
    def retry(self, which: int, named: bool) -> None:
        async def act() -> None:
            jobs = await self._jobs("status NOT IN ('pending', 'running') AND failed_count > 0")
            if not jobs:
                return
            job_id = jobs[which % len(jobs)].id
            rows = [row for row in await self.installation.deliveries(job_id) if row.status == "failed"]
            leads = [row.contributor_id for row in rows] if named else None
            async with self.installation.database.transaction() as connection:
                tables = await self.installation.host_tables.tables(connection)
                await retry(
                    connection, tables, Actor(self.installation.org_id, "user:test"), job_id, RetryBody(lead_ids=leads)
                )
            self.requested_again.update(leads or [])

        try:
            self.do(act())
        except ConflictError:
            return

    @rule(lead=st.integers(0, LEADS - 1), really=st.sampled_from([False, False, True]))
    def erase(self, lead: int, really: bool) -> None:
        """Deliveries in flight are still recorded. Queued and later ones are not sent (see `send_of`)."""
        if not really:
            return

        async def act() -> None:
            async with self.installation.database.transaction() as connection:
                tables = await self.installation.host_tables.tables(connection)
                await erase(
                    connection, tables, self.installation.org_id, "user:test", [self.installation.lead_ids[lead]]
                )

        self.do(act())
        self.erased.add(self.installation.lead_ids[lead])

    @rule()
    def change_url(self) -> None:
        self.do(self.installation.configure(f"{URL}{uuid4().hex}"))

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
        """Save settings during a push. Another token creates another version of the same webhook, and an earlier URL may be saved again."""

        async def act() -> None:
            w = self.installation
            async with w.database.transaction() as connection:
                current = await read_destination(connection, w.secret_box, w.org_id, lock=True)
                assert current is not None
                assert current.webhook is not None
                url = change.webhook_url if isinstance(change.webhook_url, str) else current.webhook.url
                checked = check_url(url or "", Policy.of(w.settings))
                await SaveConfig(
                    connection, w.secret_box, w.org_id, "user:test", "api", change, current, checked,
                    unmasked=url == change.webhook_url, internal=False,
                ).run()  # fmt: skip

        self.do(act())

    @rule(really=st.sampled_from([False, False, True]))
    def remove_webhook(self, really: bool) -> None:
        """Remove the webhook and save it again at once, because without a webhook no further step is possible."""
        if not really:
            return

        async def act() -> None:
            async with self.installation.database.transaction() as connection:
                await remove_destination(connection, self.installation.org_id, "user:test")
            await self.installation.configure(URL)

        self.do(act())

    @rule()
    def time_passes(self) -> None:
        self.do(self.installation.fetch("UPDATE clay.clay_push_log SET due_at = now() WHERE due_at > now()"))

    @invariant()
    def verify_invariants(self) -> None:
        async def act() -> list[Any]:
            async with self.installation.database.transaction() as connection:
                return await verify(connection, MAX_WAIT)

        assert self.do(act()) == []

    @invariant()
    def a_lead_is_sent_again_only_on_request_or_after_an_uncertain_attempt(self) -> None:
        for lead_id, times in self.may_be_in_clay.items():
            assert times <= 1 + self.requested_again[lead_id] + self.uncertain[lead_id]

    def teardown(self) -> None:
        """End all workers, empty the queue and expire all leases. Then an ordinary worker must finish all deliveries."""
        self.do(self.installation.fetch("DELETE FROM clay.procrastinate_jobs"))
        self.sweep(expired=True)

        async def act() -> None:
            for _ in range(6):  # suspects are claimed alone, and become poison after three more lost claims
                await self.installation.fetch(EXPIRE)
                async with self.installation.database.transaction() as connection:
                    await sweep(connection)
            for job in await self._jobs("status IN ('pending', 'running')"):
                async with self.installation.database.transaction() as connection:
                    row = await lock_job(connection, job.id)
                    assert row is not None
                    await open_job(connection, row, self.installation.secret_box, self.rules_of_opening, available=True)
                for suspects in (False, True):
                    token = uuid4()
                    await self.installation.fetch("UPDATE clay.clay_push_log SET due_at = now() WHERE due_at > now()")
                    async with self.installation.database.transaction() as connection:
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
            assert await self.installation.fetch("SELECT 1 FROM clay.clay_push_log WHERE state <> 'done'") == []

        self.do(act())
        self.verify_invariants()


@pytest.fixture
def machine(database_url: str) -> Iterator[type[Deliveries]]:
    with asyncio.Runner() as runner:
        made = install(database_url, leads=LEADS, billing_enabled=False, database_pool_size=2)
        Deliveries.runner = runner
        Deliveries.installation = runner.run(made.__aenter__())
        Deliveries.rules_of_opening = Rules(Policy.of(Deliveries.installation.settings), 30.0, 1800.0)
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
def test_the_invariants_hold_after_every_event(machine: type[Deliveries]) -> None:
    run(machine, 45, 30, same_every_time=True)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_the_invariants_hold_after_random_events(machine: type[Deliveries], capsys: pytest.CaptureFixture[str]) -> None:
    """Each run has different steps. STATE_MACHINE_SEED repeats a run."""
    number = int(os.environ.get("STATE_MACHINE_SEED") or random.SystemRandom().randrange(10**9))
    with capsys.disabled():
        print(f"\nSTATE_MACHINE_SEED={number}")  # noqa: T201 - the seed repeats the run
    run(seed(number)(machine), 400, 60, same_every_time=False)
