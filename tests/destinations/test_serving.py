"""The lease of a workspace: workers take, keep, lose and adopt it."""

import itertools
from uuid import UUID, uuid4

import pytest

from clay_push_service.destinations import serving
from clay_push_service.destinations.serving import ServingShare
from clay_push_service.destinations.slots import WorkspaceKey, reserve_served
from tests.harness.installation import Installation, install

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
ME, OTHER = uuid4(), uuid4()
END = "UPDATE clay.workspaces SET served_until = now() - interval '1 second'"


async def key_of(w: Installation) -> WorkspaceKey:
    await w.configure(WEBHOOK, rate_limit_ms=200)
    [row] = await w.fetch("SELECT org_id, id FROM clay.workspaces")
    return WorkspaceKey(row.org_id, row.id)


async def take(w: Installation, key: WorkspaceKey, worker_id: UUID, *, by_force: bool = False) -> serving.ServingResult:
    async with w.database.driver() as connection:
        return await serving.take_workspace(connection, key, worker_id, by_force=by_force)


async def test_one_worker_serves_a_workspace_until_its_lease_ends(database_url: str) -> None:
    async with install(database_url) as w:
        key = await key_of(w)
        assert (await take(w, key, ME)).is_served
        assert (await take(w, key, ME)).is_served
        assert not (await take(w, key, OTHER)).is_served
        assert (await take(w, key, OTHER, by_force=True)).is_served
        assert not (await take(w, key, ME)).is_served
        await w.fetch(END)
        assert (await take(w, key, ME)).is_served


async def test_a_workspace_that_was_woken_after_the_last_check_is_not_released(database_url: str) -> None:
    async with install(database_url) as w:
        key = await key_of(w)
        seen = (await take(w, key, ME)).woken_at
        await take(w, key, OTHER)
        async with w.database.driver() as connection:
            assert await serving.release_workspaces(connection, {key: seen}, ME) == set()
            [renewed] = await serving.renew(connection, [key], ME)
            assert renewed.woken_at is not None
            assert renewed.woken_at > seen
            assert await serving.release_workspaces(connection, {key: renewed.woken_at}, OTHER) == set()
            assert await serving.release_workspaces(connection, {key: renewed.woken_at}, ME) == {key.id}
        assert (await take(w, key, OTHER)).is_served


async def test_a_lease_that_ended_is_adopted_by_one_worker_and_renewed_by_it_only(database_url: str) -> None:
    async with install(database_url) as w:
        key = await key_of(w)
        await take(w, key, ME)
        async with w.database.driver() as connection:
            assert await serving.adopt(connection, OTHER, [], 10) == []
            await serving.hand_over(connection, [key.id], OTHER)
            assert await serving.adopt(connection, OTHER, [], 10) == []
            await serving.hand_over(connection, [key.id], ME)
            assert await serving.adopt(connection, OTHER, [key.id], 10) == []
            assert [each.key for each in await serving.adopt(connection, OTHER, [], 10)] == [key]
            assert await serving.adopt(connection, ME, [], 10) == []
            assert await serving.renew(connection, [key], ME) == []
            assert [each.key for each in await serving.renew(connection, [key], OTHER)] == [key]


async def test_slots_are_reserved_for_the_worker_that_serves_and_renew_its_lease(database_url: str) -> None:
    async with install(database_url) as w:
        key = await key_of(w)
        await take(w, key, ME)
        await w.fetch("UPDATE clay.workspaces SET served_until = now() + interval '1 second'")
        async with w.database.driver() as connection, connection.transaction():
            assert await reserve_served(connection, {key: 3}, OTHER, serving.LEASE) == {}
            reserved = await reserve_served(connection, {key: 3}, ME, serving.LEASE)
        slots = reserved[key.id].reservation.slots
        assert len(slots) == 3
        assert {(later - earlier).total_seconds() for earlier, later in itertools.pairwise(slots)} == {0.2}
        [row] = await w.fetch(
            "SELECT served_until > now() + interval '2 seconds' AS renewed, next_slot_at FROM clay.workspaces"
        )
        assert row.renewed
        assert row.next_slot_at > slots[-1]


async def test_a_workspace_whose_row_is_locked_is_skipped(database_url: str) -> None:
    async with install(database_url) as w:
        key = await key_of(w)
        await take(w, key, ME)
        async with w.database.transaction() as holder:
            await serving.hand_over(holder, [key.id], ME)
            async with w.database.driver() as connection, connection.transaction():
                assert await reserve_served(connection, {key: 3}, ME, serving.LEASE) == {}


@pytest.mark.parametrize(
    ("share", "missing", "excess"),
    [
        (ServingShare(own=0, served=0, workers=0), 0, 0),
        (ServingShare(own=0, served=300, workers=1), 300, 0),
        (ServingShare(own=300, served=300, workers=2), 0, 30),
        (ServingShare(own=150, served=300, workers=2), 0, 0),
        (ServingShare(own=170, served=300, workers=2), 0, 0),
        (ServingShare(own=200, served=300, workers=2), 0, 20),
        (ServingShare(own=0, served=300, workers=3), 100, 0),
        (ServingShare(own=1, served=1, workers=2), 0, 0),
    ],
)
def test_a_worker_takes_and_releases_workspaces_according_to_its_share(
    share: ServingShare, missing: int, excess: int
) -> None:
    assert (share.missing, share.excess) == (missing, excess)
