"""Claims by turns: the order in which push jobs get their turns, and the deliveries that are not claimed."""

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.claim_turns import ClaimedTurn, WantedTurns, claim_turns, mark_turns, release_turns
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.deliveries.take_over import claim_suspect, expire_claims, reset_lost_claims
from tests.harness.installation import Installation, install
from tests.support.destination_rows import add_second_destination, add_version

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
LEASE = timedelta(minutes=5)


async def workspace_of(w: Installation) -> UUID:
    [row] = await w.fetch("SELECT id FROM clay.workspaces WHERE org_id = :org_id", org_id=w.org_id)
    found: UUID = row.id
    return found


async def claimed(w: Installation, leads: int) -> list[ClaimedTurn]:
    wanted = [WantedTurns(w.org_id, await workspace_of(w), leads)]
    async with w.database.driver() as connection:
        return await claim_turns(connection, wanted, uuid4(), LEASE)


async def run_all(w: Installation) -> None:
    """Set all push jobs to running, as the handler of a wake-up does."""
    await w.fetch("UPDATE clay.push_jobs SET status = 'running', started_at = now() WHERE status = 'pending'")


async def pushed(w: Installation, *numbers: int) -> list[UUID]:
    """Create running push jobs with this many leads each, in the order of their turns."""
    jobs: list[UUID] = []
    first = 0
    for number in numbers:
        jobs.append((await w.push(w.lead_ids[first : first + number])).job_id)
        first += number
    await run_all(w)
    for place, job_id in enumerate(jobs):
        age = timedelta(minutes=len(jobs) - place)
        await w.fetch(
            "UPDATE clay.push_jobs SET turn_at = now() - CAST(:age AS interval) WHERE id = :id", age=age, id=job_id
        )
    return jobs


async def test_push_jobs_take_turns_and_the_oldest_turn_is_first(database_url: str) -> None:
    async with install(database_url, leads=12) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        large, single, small = await pushed(w, 9, 1, 2)
        assert {each.job_id for each in await claimed(w, 1)} == {large}
        assert [each.job_id for each in sorted(await claimed(w, 2), key=lambda each: each.waiting_since)] == [
            single,
            small,
        ]
        jobs = [each.job_id for each in await claimed(w, 3)]
        assert (jobs.count(large), jobs.count(small)) == (2, 1)


async def test_a_large_push_gets_every_turn_that_no_other_takes(database_url: str) -> None:
    async with install(database_url, leads=12) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        large, single = await pushed(w, 11, 1)
        found = [each.job_id for each in await claimed(w, 8)]
        assert (found.count(large), found.count(single)) == (7, 1)
        assert len({each.claimed.delivery_id for each in await claimed(w, 100)}) == 4
        assert await claimed(w, 100) == []


async def test_three_destinations_get_equal_shares_and_a_single_lead_of_the_third_is_in_the_next_claim(
    database_url: str,
) -> None:
    async with install(database_url, leads=20) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        async with w.database.transaction() as connection:
            tables = [await add_second_destination(connection, w.org_id, table_name=name) for name in ("B", "C")]
            for destination_id in tables:
                await add_version(connection, w.org_id, destination_id)
        for table in (None, *tables):
            await w.push(w.lead_ids[1:], destination_id=table)
        await run_all(w)
        for _ in range(3):
            found = Counter(each.destination_id for each in await claimed(w, 9))
            assert list(found.values()) == [3, 3, 3]
        single = (await w.push(w.lead_ids[:1], destination_id=tables[1])).job_id
        await run_all(w)
        assert single in {each.job_id for each in await claimed(w, 6)}


async def test_destinations_of_a_workspace_take_turns(database_url: str) -> None:
    async with install(database_url, leads=8) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        async with w.database.transaction() as connection:
            second = await add_second_destination(connection, w.org_id)
            await add_version(connection, w.org_id, second)
        for lead_id in w.lead_ids[:6]:
            await w.push([lead_id])
        await w.push(w.lead_ids[6:], destination_id=second)
        await run_all(w)
        found = [each.destination_id for each in await claimed(w, 4)]
        assert found.count(second) == 2, (
            "the second destination gets two turns, although six push jobs of the first have waited longer"
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE clay.push_jobs SET status = 'pending', started_at = NULL",
        "UPDATE clay.push_jobs SET cancel_requested_at = now()",
        "UPDATE clay.destination_versions SET state = 'waiting', probe_at = now()",
        "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'webhook_gone'",
        "UPDATE clay.clay_push_log SET due_at = now() + interval '1 minute'",
        "UPDATE clay.clay_push_log SET lost_claims = 1",
    ],
    ids=["not opened", "cancelled", "outage", "closed", "not due", "suspect"],
)
async def test_deliveries_that_must_not_be_sent_are_not_claimed(database_url: str, change: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        await pushed(w, 2)
        await w.fetch(change)
        assert await claimed(w, 5) == []


async def test_marking_and_releasing_need_the_token_of_the_claim(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        await pushed(w, 3)
        mine = [each.claimed for each in await claimed(w, 3)]
        await w.fetch(
            "UPDATE clay.clay_push_log SET claim_token = gen_random_uuid() WHERE id = :id", id=mine[0].delivery_id
        )
        async with w.database.driver() as connection:
            assert await mark_turns(connection, mine, LEASE) == {each.delivery_id for each in mine[1:]}
            assert await mark_turns(connection, mine, LEASE) == set(), "a delivery is marked only once"
            assert await release_turns(connection, mine[:2]) == []
        states = {row.id: row.state for row in await w.fetch("SELECT id, state FROM clay.clay_push_log")}
        assert [states[each.delivery_id] for each in mine] == ["claimed", "waiting", "sending"]


async def test_a_release_returns_cancelled_push_jobs(database_url: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        [job_id] = await pushed(w, 2)
        mine = [each.claimed for each in await claimed(w, 2)]
        await w.fetch("UPDATE clay.push_jobs SET cancel_requested_at = now()")
        async with w.database.driver() as connection:
            assert await release_turns(connection, mine) == [job_id]


async def test_claims_of_an_adopted_workspace_return_with_the_next_sweep(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        await pushed(w, 3)
        mine = [each.claimed for each in await claimed(w, 3)]
        async with w.database.driver() as connection:
            await mark_turns(connection, mine[:1], LEASE)
            assert await expire_claims(connection, [uuid4()]) == 0
            assert await expire_claims(connection, [await workspace_of(w)]) == 2
        async with w.database.transaction() as connection:
            await sweep(connection)
        rows = await w.fetch("SELECT state, lost_claims FROM clay.clay_push_log ORDER BY state")
        assert [(row.state, row.lost_claims) for row in rows] == [("sending", 0), ("waiting", 1), ("waiting", 1)]


async def test_a_suspect_is_claimed_alone_and_its_lost_claims_are_reset_after_a_success(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        await pushed(w, 3)
        first, second, third = (row.id for row in await w.fetch("SELECT id FROM clay.clay_push_log ORDER BY seq"))
        await w.fetch("UPDATE clay.clay_push_log SET lost_claims = 3 WHERE id = :id", id=first)
        await w.fetch("UPDATE clay.clay_push_log SET lost_claims = 1 WHERE id = :id", id=second)
        workspaces = [await workspace_of(w)]
        async with w.database.driver() as connection:
            suspect = await claim_suspect(connection, workspaces, uuid4(), LEASE)
            assert suspect is not None
            assert suspect.claimed.delivery_id == second, "the suspect with fewer lost claims goes first"
            await reset_lost_claims(connection, suspect.claimed)
        assert {each.claimed.delivery_id for each in await claimed(w, 3)} == {second, third}
        async with w.database.driver() as connection:
            other = await claim_suspect(connection, workspaces, uuid4(), LEASE)
            assert other is not None
            assert other.claimed.delivery_id == first
            assert await claim_suspect(connection, workspaces, uuid4(), LEASE) is None
