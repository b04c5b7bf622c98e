"""The state of a destination version in the database: probes, closing, and its organization."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from clay_push_service.destinations.state import close_version, read_version, take_probe
from clay_push_service.states import DestinationState
from tests.harness.installation import Installation, install


@pytest.fixture
async def w(database_url: str) -> AsyncIterator[Installation]:
    async with install(database_url, leads=1) as made:
        yield made


async def probed(w: Installation, version_id: UUID) -> bool:
    async with w.database.transaction() as connection:
        return await take_probe(connection, version_id, 30.0)


async def put(w: Installation, state: str, probe_at: str) -> None:
    reason = "NULL" if state == "open" else "'server_error'"
    await w.fetch(
        f"UPDATE clay.destination_versions SET state = '{state}', state_reason = {reason}, probe_at = {probe_at}"
    )


async def test_one_worker_probes_every_probe_seconds(w: Installation) -> None:
    version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
    await put(w, "waiting", "now() - interval '1 second'")
    assert await probed(w, version_id)
    assert not await probed(w, version_id)
    await put(w, "waiting", "now() - interval '1 second'")
    assert await probed(w, version_id)


@pytest.mark.parametrize(
    ("state", "probe_at"),
    [("waiting", "now() + interval '10 seconds'"), ("open", "now() - interval '1 second'"), ("closed", "now()")],
)
async def test_only_a_waiting_destination_without_a_recent_probe_is_probed(
    w: Installation, state: str, probe_at: str
) -> None:
    version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
    await put(w, state, probe_at)
    assert not await probed(w, version_id)


async def test_a_closed_destination_keeps_its_first_reason_and_time(w: Installation) -> None:
    version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
    for reason in ("webhook_gone", "blocked"):
        async with w.database.transaction() as connection:
            await close_version(connection, version_id, reason)
        async with w.database.transaction() as connection:
            found = await read_version(connection, w.org_id, version_id)
        assert found is not None
        assert (found.state, found.state_reason) == (DestinationState.CLOSED, "webhook_gone")


async def test_a_version_of_another_organization_is_not_found(w: Installation) -> None:
    version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
    async with w.database.transaction() as connection:
        assert await read_version(connection, uuid4(), version_id) is None
        assert await read_version(connection, w.org_id, version_id) is not None
