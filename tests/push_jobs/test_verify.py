"""`clay-push verify`: finds what is broken in live data, names it, and changes nothing."""

from datetime import timedelta

import pytest

from clay_push_service.push_jobs.verify import verify
from tests.support.world import World, draining

SOON = timedelta(seconds=0)

DAMAGE = {
    "counters": "UPDATE clay.push_jobs SET success_count = success_count - 1",
    "ended_jobs": "UPDATE clay.clay_push_log SET state = 'waiting', status = 'pending', cause = NULL, finished_at = NULL",
    "once": "UPDATE clay.push_jobs SET push_again = false",
    "fuel": "UPDATE clay.destination_versions SET fuel_used = 1",
    "table_epoch": "UPDATE clay.push_jobs SET table_epoch = 7",
}


async def found(w: World) -> set[str]:
    async with w.database.transaction() as connection:
        return {violation.check.name for violation in await verify(connection, SOON)}


@pytest.mark.parametrize("check", DAMAGE)
async def test_damage_is_found_and_named(database_url: str, check: str) -> None:
    async with draining(database_url, leads=4) as (w, drainer, _clay):
        for again in (False, True):
            await w.push(again=again)
            await w.drain_all(drainer)
        assert await found(w) == set()
        if check == "ended_jobs":
            await w.fetch(f"{DAMAGE[check]} WHERE seq = 1")
        else:
            await w.fetch(DAMAGE[check])
        assert check in await found(w)


async def test_what_nobody_will_ever_work_on_is_found(database_url: str) -> None:
    async with draining(database_url, leads=2) as (w, _drainer, _clay):
        await w.push()
        assert await found(w) == set()
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        assert await found(w) == {"wake_ups"}
