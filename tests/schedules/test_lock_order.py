"""Saving a schedule locks destinations before segments, so that it cannot deadlock, and nothing that it uses disappears meanwhile."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text

from clay_push_service.routing.exclusions import lock_destinations
from clay_push_service.routing.lock import lock_routing
from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import add_table, save_segment
from tests.schedules.planned import start_blocked

PATH = "/api/clay/schedules"
SOON = text("SET LOCAL lock_timeout = '300ms'")
"""Shorter than the time after which PostgreSQL detects a deadlock."""


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=1) as made:
        yield made


def body(api: Api, **changes: object) -> dict[str, object]:
    daily = {"name": "Morning", "kind": "daily", "at": "09:00", "time_zone": "UTC"}
    return {**daily, "project_id": str(api.project_id), **changes}


@pytest.mark.parametrize("is_new", [True, False])
async def test_saving_a_schedule_beside_a_change_of_a_segment_is_no_deadlock(api: Api, is_new: bool) -> None:
    """A change locks the destinations before the segments."""
    table, segment = await add_table(api, "best"), await save_segment(api, "High", min_score=80)
    sent = body(api, segment_id=segment, destination_id=table)
    request = ("POST", PATH) if is_new else ("PUT", f"{PATH}/{(await api.call('POST', PATH, body(api)))['id']}")
    async with api.database.transaction() as connection:
        await lock_destinations(connection, api.org_id)
        saving = await start_blocked(api.installation, api.send(*request, "owner", json=sent))
        await connection.execute(SOON)
        await lock_routing(connection, api.org_id)
    assert (await saving).is_success, (await saving).text


async def test_a_schedule_for_a_table_that_is_archived_meanwhile_is_refused(api: Api) -> None:
    table = await add_table(api, "best")
    async with api.database.transaction() as connection:
        await lock_destinations(connection, api.org_id)
        saving = await start_blocked(
            api.installation, api.send("POST", PATH, "owner", json=body(api, destination_id=table))
        )
        await connection.execute(
            text("UPDATE clay.destinations SET archived_at = now() WHERE id = :id"), {"id": UUID(table)}
        )
    assert (await saving).status_code == 409
    assert (await saving).json()["code"] == "destination_archived"
