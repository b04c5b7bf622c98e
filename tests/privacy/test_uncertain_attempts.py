"""A delivery with an uncertain attempt may be in Clay. Every report shows it, whichever way the delivery ended."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import MAYBE_SENT, Cause
from clay_push_service.clay.outcome import Outcome, Streak, Verdict
from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.results import Result, record
from clay_push_service.deliveries.sweep import LOST_CLAIMS_TO_POISON, sweep
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.privacy.erase import erase
from clay_push_service.privacy.receipt import Receipt, SentState, read_receipt
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.queries.leads import read_leads
from tests.harness.installation import Installation, install

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
LEASE = timedelta(seconds=30)
TAKEN = Outcome(Verdict.SUCCESS, status=200, resets_streaks=True, submissions=1)
SERVER_ERROR = Outcome(Verdict.RETRY, Cause.SERVER_ERROR, 500, counts_toward=Streak.OUTAGE)
NOT_CONNECTED = Outcome(Verdict.RETRY, Cause.NETWORK_ERROR, counts_toward=Streak.OUTAGE)
REJECTED = Outcome(Verdict.FAILED, Cause.REJECTED, 422, resets_streaks=True)
NO_ANSWER = Outcome(Verdict.FAILED, Cause.UNKNOWN, submissions=1)
GONE_FROM_HOST = Outcome(Verdict.FAILED, Cause.LEAD_GONE, uses_attempt=False)


class OneDelivery:
    """One delivery, whose state the test changes as a worker does."""

    def __init__(self, installation: Installation, version_id: UUID, job_id: UUID) -> None:
        self.installation = installation
        self.version_id = version_id
        self.job_id = job_id
        self.token = uuid4()
        self.delivery_id = uuid4()
        self.attempts = 0

    async def send(self, lease: timedelta = LEASE) -> None:
        self.token = uuid4()
        async with self.installation.database.driver() as connection:
            [claimed] = await claim(connection, self.job_id, self.token, 1, lease)
        self.delivery_id, self.attempts = claimed.delivery_id, claimed.attempts
        async with self.installation.database.driver() as connection:
            assert await mark_sending(connection, self.token, [self.delivery_id], LEASE)

    async def claim_only(self) -> None:
        self.token = uuid4()
        async with self.installation.database.driver() as connection:
            [claimed] = await claim(connection, self.job_id, self.token, 1, LEASE)
        self.delivery_id, self.attempts = claimed.delivery_id, claimed.attempts

    async def answer(self, outcome: Outcome, *, sent: bool = True) -> None:
        async with self.installation.database.transaction() as connection:
            result = Result(
                self.delivery_id, self.job_id, self.version_id, self.token, outcome, sent=sent, attempts=self.attempts
            )
            assert len((await record(connection, [result], 30.0)).written) == 1

    async def try_once(self, outcome: Outcome) -> None:
        await self.send()
        await self.answer(outcome)

    async def cancel(self) -> tuple[int, str]:
        async with self.installation.database.transaction() as connection:
            answer = await cancel(connection, Actor(self.installation.org_id, "user:test"), self.job_id)
        return answer.maybe_sent, answer.message

    async def erase(self) -> Receipt:
        async with self.installation.database.transaction() as connection:
            tables = await self.installation.host_tables.tables(connection)
            erasure_id, _ = await erase(
                connection, tables, self.installation.org_id, "user:owner", self.installation.lead_ids
            )
            return await read_receipt(connection, self.installation.org_id, erasure_id)

    async def receipt(self, erasure: Receipt) -> Receipt:
        async with self.installation.database.transaction() as connection:
            return await read_receipt(connection, self.installation.org_id, erasure.id)


End = Callable[[OneDelivery], Awaitable[None]]


async def cancelled_while_waiting(one: OneDelivery) -> None:
    await one.try_once(SERVER_ERROR)
    maybe_sent, message = await one.cancel()
    assert maybe_sent == 1
    assert "1 may already be in Clay" in message


async def cancelled_in_flight(one: OneDelivery) -> None:
    await one.send()
    await one.cancel()
    await one.answer(SERVER_ERROR)


async def refused_later(one: OneDelivery) -> None:
    await one.try_once(SERVER_ERROR)
    await one.try_once(REJECTED)


async def not_connected_later(one: OneDelivery) -> None:
    await one.try_once(SERVER_ERROR)
    await one.try_once(NOT_CONNECTED)
    await one.cancel()


async def removed_from_the_host_later(one: OneDelivery) -> None:
    await one.try_once(SERVER_ERROR)
    await one.claim_only()
    await one.answer(GONE_FROM_HOST, sent=False)


async def webhook_removed_later(one: OneDelivery) -> None:
    await one.try_once(SERVER_ERROR)
    async with one.installation.database.transaction() as connection:
        await remove_destination(connection, one.installation.org_id, "user:owner")


async def worker_died_in_flight(one: OneDelivery) -> None:
    await one.send()
    await one.installation.fetch("UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second'")
    async with one.installation.database.transaction() as connection:
        assert (await sweep(connection)).unknown == 1


async def crashed_workers_later(one: OneDelivery) -> None:
    await one.try_once(SERVER_ERROR)
    await one.claim_only()
    await one.installation.fetch(
        "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second', lost_claims = :lost",
        lost=LOST_CLAIMS_TO_POISON - 1,
    )
    async with one.installation.database.transaction() as connection:
        assert (await sweep(connection)).poison == 1


async def no_answer(one: OneDelivery) -> None:
    await one.try_once(NO_ANSWER)


ENDS = [
    cancelled_while_waiting, cancelled_in_flight, refused_later, not_connected_later, removed_from_the_host_later,
    webhook_removed_later, worker_died_in_flight, crashed_workers_later, no_answer,
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_every_report_shows_that_the_lead_may_be_in_clay(database_url: str, end: End) -> None:
    async with install(database_url, leads=1) as installation:
        version_id = await installation.configure(WEBHOOK)
        one = OneDelivery(installation, version_id, (await installation.push()).job_id)
        await installation.fetch("UPDATE clay.clay_push_log SET due_at = now()")
        await end(one)
        [row] = await installation.deliveries(one.job_id)
        assert (row.state, row.uncertain_attempts) == ("done", 1)
        assert "may already be in Clay" in row.error_message
        async with installation.database.transaction() as connection:
            tables = await installation.host_tables.tables(connection)
            job = await read_job(connection, installation.org_id, one.job_id)
            [lead] = (
                await read_leads(connection, tables, installation.org_id, installation.project_id, LeadFilters())
            ).leads
        assert any("1 lead may already be in Clay" in each for each in job.warnings)
        assert lead.clay.state == ("failed" if row.status == "failed" and row.cause != "unknown" else "unknown")
        receipt = await one.erase()
        assert [(each.gone, each.uncertain_attempts) for each in receipt.leads[0].gone_to_clay] == [
            (SentState.MAYBE, 1)
        ]
        assert "1 row may be in Clay" in receipt.message


async def test_a_lead_erased_in_flight_with_a_server_error_may_be_in_clay(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        version_id = await installation.configure(WEBHOOK)
        one = OneDelivery(installation, version_id, (await installation.push()).job_id)
        await one.send()
        erasure = await one.erase()
        assert "1 row is being sent now" in erasure.message
        await one.answer(SERVER_ERROR)
        await one.claim_only()
        await one.answer(GONE_FROM_HOST, sent=False)
        receipt = await one.receipt(erasure)
        assert [each.gone for each in receipt.leads[0].gone_to_clay] == [SentState.MAYBE]
        assert "1 row may be in Clay" in receipt.message


async def test_the_message_of_a_lead_erased_after_a_server_error_mentions_the_error(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        version_id = await installation.configure(WEBHOOK)
        one = OneDelivery(installation, version_id, (await installation.push()).job_id)
        await one.try_once(SERVER_ERROR)
        receipt = await one.erase()
        assert [each.gone for each in receipt.leads[0].gone_to_clay] == [SentState.MAYBE]
        [row] = await installation.deliveries(one.job_id)
        assert row.cause == "erased"
        assert row.error_message.endswith(MAYBE_SENT)


async def test_a_success_after_a_server_error_counts_one_uncertain_attempt(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        version_id = await installation.configure(WEBHOOK)
        one = OneDelivery(installation, version_id, (await installation.push()).job_id)
        await one.try_once(SERVER_ERROR)
        await one.try_once(TAKEN)
        [row] = (await one.erase()).leads[0].gone_to_clay
        assert (row.gone, row.uncertain_attempts) == (SentState.TAKEN, 1)


async def test_certainly_unsent_leads_are_not_reported(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        version_id = await installation.configure(WEBHOOK)
        one = OneDelivery(installation, version_id, (await installation.push()).job_id)
        await one.try_once(NOT_CONNECTED)
        await one.try_once(REJECTED)
        receipt = await one.erase()
        assert receipt.leads[0].gone_to_clay == []
        assert "no row was sent to Clay" in receipt.message
