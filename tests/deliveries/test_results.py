"""Recorded results change the health of a destination and the state of suspect deliveries."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Verdict, outcome_of
from clay_push_service.clay.response import Responded
from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.results import Result, record
from clay_push_service.destinations.state import LOCK_HEALTH
from tests.harness.installation import Installation, install
from tests.support.moments import NOW

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
LEASE = timedelta(minutes=5)
PROBE_SECONDS = 30.0
UNSENDABLE = Outcome(Verdict.FAILED, Cause.TOO_LARGE, uses_attempt=False)


async def recorded(
    w: Installation, version_id: UUID, job_id: UUID, outcomes: Sequence[Outcome], *, sent: bool = True
) -> None:
    """Claim one lead per outcome, mark them, and record the outcomes in one batch."""
    token = uuid4()
    async with w.database.driver() as connection:
        taken = await claim(connection, job_id, token, len(outcomes), LEASE)
        await mark_sending(connection, token, [each.delivery_id for each in taken], LEASE)
    assert len(taken) == len(outcomes)
    results = [
        Result(each.delivery_id, job_id, version_id, token, outcome, attempts=each.attempts, sent=sent)
        for each, outcome in zip(taken, outcomes, strict=True)
    ]
    async with w.database.driver() as connection, connection.transaction():
        await record(connection, results, PROBE_SECONDS)


def answers(*statuses: int) -> list[Outcome]:
    return [outcome_of(Responded(status), 4, NOW) for status in statuses]


async def version(w: Installation, version_id: UUID) -> Any:
    [row] = await w.fetch("SELECT * FROM clay.destination_versions WHERE id = :id", id=version_id)
    return row


async def test_an_outage_keeps_its_start_time_and_its_probe_time(database_url: str) -> None:
    async with install(database_url, leads=12) as w:
        version_id = await w.configure(WEBHOOK)
        accepted = await w.push()
        await recorded(w, version_id, accepted.job_id, answers(*[500] * 10))
        began = await version(w, version_id)
        assert (began.state, began.outages) == ("waiting", 10)
        await w.fetch(
            "UPDATE clay.destination_versions SET state_since = state_since - interval '10 minutes',"
            " probe_at = probe_at - interval '10 minutes'"
        )
        before = await version(w, version_id)
        await recorded(w, version_id, accepted.job_id, answers(500))
        after = await version(w, version_id)
        assert (after.state, after.state_since, after.probe_at) == ("waiting", before.state_since, before.probe_at)
        await recorded(w, version_id, accepted.job_id, answers(200))
        ended = await version(w, version_id)
        assert (ended.state, ended.outages, ended.probe_at) == ("open", 0, None)
        assert ended.state_since > before.state_since


async def test_a_success_ends_the_streaks_and_does_not_open_a_closed_destination(database_url: str) -> None:
    async with install(database_url, leads=6) as w:
        version_id = await w.configure(WEBHOOK)
        accepted = await w.push()
        await recorded(w, version_id, accepted.job_id, answers(401, 401))
        assert (await version(w, version_id)).refusals == 2
        await recorded(w, version_id, accepted.job_id, answers(200))
        assert (await version(w, version_id)).refusals == 0
        await w.fetch(
            "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized', refusals = 3"
        )
        await recorded(w, version_id, accepted.job_id, answers(200))
        closed = await version(w, version_id)
        assert (closed.state, closed.state_reason, closed.refusals) == ("closed", "unauthorized", 3)


async def test_unsent_deliveries_do_not_affect_the_destination(database_url: str) -> None:
    async with install(database_url, leads=4) as w:
        version_id = await w.configure(WEBHOOK)
        accepted = await w.push()
        await recorded(w, version_id, accepted.job_id, answers(401, 401))
        # a refusal without a POST must not count as the third one
        await recorded(w, version_id, accepted.job_id, answers(401), sent=False)
        found = await version(w, version_id)
        assert (found.state, found.refusals) == ("open", 2)
        assert [row.attempts for row in await w.deliveries(accepted.job_id)] == [1, 1, 0, 0]


async def test_a_suspect_with_a_response_is_no_longer_a_suspect(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        version_id = await w.configure(WEBHOOK)
        accepted = await w.push()
        await w.fetch("UPDATE clay.clay_push_log SET lost_claims = 2")
        token = uuid4()
        async with w.database.driver() as connection:
            [taken] = await claim(connection, accepted.job_id, token, 1, LEASE, suspects=True)
            await mark_sending(connection, token, [taken.delivery_id], LEASE)
        result = Result(taken.delivery_id, accepted.job_id, version_id, token, outcome_of(Responded(503), 1, NOW))
        async with w.database.driver() as connection, connection.transaction():
            await record(connection, [result], PROBE_SECONDS)
        [row] = await w.deliveries(accepted.job_id)
        assert (row.state, row.lost_claims) == ("waiting", 0)


async def test_results_of_one_destination_are_counted_one_batch_after_another(database_url: str) -> None:
    """Two workers record concurrently. Without the lock, each would read two refusals and miss the other's."""
    async with install(database_url, leads=4) as w:
        version_id = await w.configure(WEBHOOK)
        jobs = [await w.push(w.lead_ids[:2]), await w.push(w.lead_ids[2:])]
        await asyncio.gather(*(recorded(w, version_id, each.job_id, answers(401)) for each in jobs))
        assert (await version(w, version_id)).refusals == 2
        async with w.database.driver() as first, first.transaction():
            await LOCK_HEALTH.rows(first, {"ids": [version_id]})
            waiting = asyncio.create_task(recorded(w, version_id, jobs[0].job_id, answers(401)))
            await blocked(w)
            await first.execute("UPDATE clay.destination_versions SET refusals = 0")
        await waiting
        found = await version(w, version_id)
        assert (found.state, found.refusals) == ("open", 1)


async def test_versions_are_locked_in_the_order_of_their_ids(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        ids = sorted([await w.configure(WEBHOOK), await w.configure(WEBHOOK + "y"), await w.configure(WEBHOOK + "z")])
        for _ in range(5):
            async with w.database.driver() as connection, connection.transaction():
                rows = await LOCK_HEALTH.rows(connection, {"ids": ids[::-1]})
            assert [row.id for row in rows] == ids


async def blocked(w: Installation) -> None:
    """Wait until a connection waits for a lock."""
    statement = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(30):
        while not await w.fetch(statement):  # noqa: ASYNC110 - another connection has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("state", ["waiting", "closed"])
async def test_the_meter_counts_in_every_state(database_url: str, state: str) -> None:
    async with install(database_url, leads=3) as w:
        version_id = await w.configure(WEBHOOK)
        accepted = await w.push()
        reason = "server_error" if state == "waiting" else "unauthorized"
        await w.fetch(f"UPDATE clay.destination_versions SET state = '{state}', state_reason = '{reason}'")
        await recorded(w, version_id, accepted.job_id, answers(200, 200, 422))
        async with w.database.transaction() as connection:
            used = (await connection.execute(text("SELECT max(used) FROM clay.quota_meters"))).scalar_one()
        assert used == 2
