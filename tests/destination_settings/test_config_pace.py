"""The pace in the settings: its limits, and the effect of a save on reserved slots."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from clay_push_service.destinations.slots import WorkspaceKey, reserve_slots
from tests.destination_settings.config_calls import CONFIG, rows
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api


async def test_only_internal_networks_allow_no_pace(database_url: str) -> None:
    loose: dict[str, Any] = {
        "allowed_webhook_hosts": "*.clay.com,10.1.2.3,sandbox.test",
        "allowed_webhook_networks": "10.1.2.0/24",
    }
    async with run_api(database_url, **loose) as app:
        app.resolver.addresses["sandbox.test"] = ["10.1.2.9"]
        answer = await app.put(CONFIG, "owner", {"webhook_url": "https://10.1.2.3/in", "rate_limit_ms": 0})
        assert (answer.status_code, answer.json()["rate_limit_ms"]) == (200, 0)
        answer = await app.put(CONFIG, "owner", {"webhook_url": "https://sandbox.test/in"})
        assert answer.json()["rate_limit_ms"] == 0
        answer = await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
        assert answer.json()["rate_limit_ms"] == 200
        assert (await app.put(CONFIG, "owner", {"rate_limit_ms": 0})).status_code == 422


async def test_a_delay_that_is_too_short_for_clay_is_refused_with_the_reason(app: Api) -> None:
    answer = (await app.put(CONFIG, "owner", {"rate_limit_ms": 99})).json()
    assert "10 requests/s per workspace" in answer["detail"]
    assert answer["errors"][0]["message"] == "must be at least 100"


@pytest.mark.parametrize("stored", [1, 99])
async def test_a_delay_that_an_earlier_release_saved_is_raised_with_the_next_save(app: Api, stored: int) -> None:
    await rows(app, f"UPDATE clay.workspaces SET rate_limit_ms = {stored} RETURNING 1")
    assert (await app.put(CONFIG, "owner", {"table_name": "Other"})).json()["rate_limit_ms"] == 100


async def test_a_save_moves_no_reserved_slot(app: Api) -> None:
    """Two slots are never closer than the pace. Without this rule, 70 saves in 10 s caused 36 POSTs a second at a pace of 10."""
    changes: list[dict[str, object]] = [
        {"table_name": "A"}, {"rate_limit_ms": 100}, {"rate_limit_ms": 400}, {"table_name": "B"},
        {"rate_limit_ms": 200}, {"webhook_token": "another"}, {"quota_used": 3}, {"new_table": True},
        {"webhook_url": OTHER_WEBHOOK}, {"rate_limit_ms": 100},
    ]  # fmt: skip
    async with app.database.transaction() as connection:
        workspace_id = (await connection.execute(text("SELECT id FROM clay.workspaces"))).scalar_one()
    workspace = WorkspaceKey(app.org_id, workspace_id)
    slots: list[datetime] = []
    for change in changes * 2:
        given = len(slots)
        while len(slots) == given:
            async with app.database.transaction() as connection:
                reservation, _ = await reserve_slots(connection, workspace, 3)
            slots += reservation.slots
            await asyncio.sleep(min(reservation.wait.total_seconds(), 0.05))
        assert (await app.put(CONFIG, "owner", change)).status_code == 200
    gaps = [later - earlier for earlier, later in pairwise(slots)]
    assert min(gaps) >= timedelta(milliseconds=100)


async def test_a_shorter_delay_applies_soon_but_not_before_the_end_of_a_429_pause(app: Api) -> None:
    async def ahead() -> float:
        (row,) = await rows(app, "SELECT extract(epoch FROM next_slot_at - now()) AS ahead FROM clay.workspaces")
        return float(row.ahead)

    async with app.database.transaction() as connection:
        await connection.execute(text("UPDATE clay.workspaces SET next_slot_at = now() + interval '60 s'"))
    await app.put(CONFIG, "owner", {"rate_limit_ms": 100})
    assert await ahead() < 1.2, "slots are reserved up to a second ahead, and the next one comes after them"
    async with app.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE clay.workspaces SET next_slot_at = now() + interval '60 s', throttled_ms = 400, throttled_at = now()"
            )
        )
    await app.put(CONFIG, "owner", {"rate_limit_ms": 150})
    assert await ahead() > 50
