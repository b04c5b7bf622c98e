"""Claims: which deliveries are claimed, concurrent claims, and the actions that only the holder of a claim may do."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.claim import Claimed, claim, mark_sending, release, seconds_to_next_delivery
from tests.harness.installation import Installation, install

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
LEASE = timedelta(minutes=5)
SHORT = timedelta(seconds=20)


async def claimed(w: Installation, job_id: UUID, wanted: int = 100, *, suspects: bool = False) -> list[Claimed]:
    async with w.database.driver() as connection:
        return await claim(connection, job_id, uuid4(), wanted, LEASE, suspects=suspects)


async def states(w: Installation, job_id: UUID) -> list[str]:
    return [row.state for row in await w.deliveries(job_id)]


async def test_due_waiting_deliveries_are_claimed_in_order(database_url: str) -> None:
    async with install(database_url, leads=6) as w:
        await w.configure(WEBHOOK)
        mine, other = await w.push(w.lead_ids[:4]), await w.push(w.lead_ids[4:])
        rows = await w.deliveries(mine.job_id)
        await w.fetch(
            "UPDATE clay.clay_push_log SET due_at = now() + interval '1 minute' WHERE id = :id", id=rows[1].id
        )
        first = await claimed(w, mine.job_id, 2)
        assert [each.delivery_id for each in first] == [rows[0].id, rows[2].id]
        assert [each.delivery_id for each in await claimed(w, mine.job_id)] == [rows[3].id]
        assert await claimed(w, mine.job_id) == []
        assert await states(w, other.job_id) == ["waiting"] * 2
        assert len({each.token for each in first}) == 1


async def test_deliveries_being_sent_are_not_claimed(database_url: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        taken = await claimed(w, accepted.job_id)
        async with w.database.driver() as connection:
            await mark_sending(connection, taken[0].token, [taken[0].delivery_id], LEASE)
        assert await claimed(w, accepted.job_id) == []
        assert await claimed(w, accepted.job_id, suspects=True) == []


async def test_suspects_are_claimed_separately(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        rows = await w.deliveries(accepted.job_id)
        await w.fetch("UPDATE clay.clay_push_log SET lost_claims = 1 WHERE id = :id", id=rows[1].id)
        assert [each.delivery_id for each in await claimed(w, accepted.job_id)] == [rows[0].id, rows[2].id]
        assert [each.delivery_id for each in await claimed(w, accepted.job_id, suspects=True)] == [rows[1].id]


async def test_only_suspects_are_claimed_as_suspects(database_url: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        assert await claimed(w, accepted.job_id, suspects=True) == []


async def test_two_workers_claim_different_leads_concurrently(database_url: str) -> None:
    """The first worker has not committed, so its rows are locked. The second skips them and does not wait."""
    async with install(database_url, leads=4) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        async with w.database.driver() as first, first.transaction():
            mine = await claim(first, accepted.job_id, uuid4(), 2, LEASE)
            async with w.database.driver() as second, second.transaction():
                await second.execute("SET LOCAL lock_timeout = '2s'")
                theirs = await claim(second, accepted.job_id, uuid4(), 4, LEASE)
        assert (len(mine), len(theirs)) == (2, 2)
        assert not {each.delivery_id for each in mine} & {each.delivery_id for each in theirs}


async def test_a_claim_updates_the_jobs_drained_at(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        assert (await w.job(accepted.job_id)).drained_at is None
        await claimed(w, accepted.job_id)
        before = (await w.job(accepted.job_id)).drained_at
        assert before is not None
        assert await claimed(w, accepted.job_id) == []
        assert (await w.job(accepted.job_id)).drained_at == before, "an empty claim does not update drained_at"


@pytest.mark.parametrize("holder", [True, False])
async def test_only_the_holder_of_a_claim_marks_and_releases_it(database_url: str, holder: bool) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        taken = await claimed(w, accepted.job_id)
        token, ids = taken[0].token if holder else uuid4(), [each.delivery_id for each in taken]
        async with w.database.driver() as connection:
            assert await mark_sending(connection, token, ids[:1], LEASE) == (set(ids[:1]) if holder else set())
        async with w.database.driver() as connection:
            await release(connection, token, ids[1:])
        assert await states(w, accepted.job_id) == (["sending", "waiting"] if holder else ["claimed", "claimed"])


async def test_a_lead_is_marked_once_and_its_lease_begins_then(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        [taken] = await claimed(w, accepted.job_id)
        [before] = await w.deliveries(accepted.job_id)
        async with w.database.driver() as connection:
            assert await mark_sending(connection, taken.token, [taken.delivery_id], SHORT) == {taken.delivery_id}
        [after] = await w.deliveries(accepted.job_id)
        assert after.lease_until < before.lease_until - timedelta(minutes=4)
        async with w.database.driver() as connection:
            assert await mark_sending(connection, taken.token, [taken.delivery_id], LEASE) == set()


@pytest.mark.parametrize(
    ("due", "seconds"),
    [
        (("now()", "now() + interval '1 hour'"), (0, 0)),
        (("now() + interval '1 hour'", "now() + interval '2 hours'"), (3590, 3600)),
        (("now() + interval '2 hours'", "now() - interval '1 second'"), (0, 0)),
    ],
)
async def test_the_next_due_lead_decides_when_a_job_continues(
    database_url: str, due: tuple[str, str], seconds: tuple[float, float]
) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        for row, due_at in zip(await w.deliveries(accepted.job_id), due, strict=True):
            await w.fetch(f"UPDATE clay.clay_push_log SET due_at = {due_at} WHERE id = :id", id=row.id)
        async with w.database.driver() as connection:
            found = await seconds_to_next_delivery(connection, accepted.job_id)
        assert found is not None
        assert seconds[0] <= found <= seconds[1]


async def test_a_job_without_waiting_leads_has_no_next_delivery(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        await claimed(w, accepted.job_id)
        async with w.database.driver() as connection:
            assert await seconds_to_next_delivery(connection, accepted.job_id) is None
