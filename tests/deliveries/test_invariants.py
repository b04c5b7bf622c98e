"""`clay-push verify` finds and reports violations in live data. It changes nothing."""

from datetime import timedelta

import pytest

from clay_push_service.deliveries.invariants import CHECKS, verify
from tests.deliveries.enrichment_damage import ENRICHMENT_DAMAGE
from tests.deliveries.mapping_damage import MAPPING_DAMAGE
from tests.deliveries.schedule_damage import SCHEDULE_DAMAGE
from tests.harness.installation import Installation, install_with_drainer

SOON = timedelta(seconds=0)

LIVE = "state = 'waiting', status = 'pending', cause = NULL, finished_at = NULL, pushed_at = NULL"
UNCONSTRAINED = "ALTER TABLE clay.clay_push_log DROP CONSTRAINT clay_push_log_"
DAMAGE: dict[str, tuple[str, ...]] = {
    **ENRICHMENT_DAMAGE,
    **SCHEDULE_DAMAGE,
    **MAPPING_DAMAGE,
    "counters": ("UPDATE clay.push_jobs SET success_count = success_count - 1",),
    "cause_counts": (
        (
            "UPDATE clay.push_jobs SET success_count = success_count - 1, failed_count = failed_count + 1,"
            " cause_counts = '{\"failed rejected sure\": 1}'"
        ),
    ),
    "ended_jobs": (f"UPDATE clay.clay_push_log SET {LIVE} WHERE seq = 1",),
    "live_jobs": ("UPDATE clay.push_jobs SET status = 'running', finished_at = NULL",),
    "one_live_delivery": (
        "DROP INDEX clay.clay_push_log_one_live",
        f"UPDATE clay.clay_push_log SET {LIVE}",
    ),
    "claims": (f"{UNCONSTRAINED}claim", f"{UNCONSTRAINED}lease", "UPDATE clay.clay_push_log SET claim_token = id"),
    "causes": (f"{UNCONSTRAINED}cause", "UPDATE clay.clay_push_log SET cause = 'rejected'"),
    "once": ("UPDATE clay.push_jobs SET push_again = false",),
    "confirmed": (
        "UPDATE clay.clay_push_log SET confirmed_at = now() - interval '1 day', status = 'failed', cause = 'unknown'",
    ),
    "quota": ("UPDATE clay.quota_meters SET used = 1",),
    "one_meter": (
        "UPDATE clay.destination_versions SET url_fingerprint = 'x'",
        (
            "WITH second AS (INSERT INTO clay.quota_meters (org_id) SELECT org_id FROM clay.quota_meters RETURNING id)"
            " INSERT INTO clay.destination_versions (id, org_id, destination_id, number, url_mask, url_fingerprint, source,"
            " meter_id) SELECT gen_random_uuid(), org_id, destination_id, number + 1, '', 'x', 'api', second.id"
            " FROM clay.destination_versions, second"
        ),
    ),
    "routes": (
        (
            "INSERT INTO clay.routes (id, org_id, position, created_by)"
            " VALUES ('00000000-0000-0000-0000-000000000001', gen_random_uuid(), 1, 'x')"
        ),
        "UPDATE clay.clay_push_log SET route_id = '00000000-0000-0000-0000-000000000001' WHERE seq = 1",
    ),
    "clay_table": ("UPDATE clay.push_jobs SET table_epoch = 7",),
    "excluded": (
        (
            "INSERT INTO clay.exclusions (id, org_id, kind, lead_id, reason, created_by, created_at)"
            " SELECT gen_random_uuid(), org_id, 'exclusion', contributor_id, 'x', 'x', now() - interval '1 day'"
            " FROM clay.clay_push_log WHERE seq = 1"
        ),
        f"UPDATE clay.clay_push_log SET {LIVE} WHERE seq = 1",
    ),
    "poison": (f"UPDATE clay.clay_push_log SET {LIVE}, lost_claims = 4 WHERE seq = 1",),
    "leases": (
        (
            f"UPDATE clay.clay_push_log SET {LIVE.replace('waiting', 'sending')}, claim_token = id, lease_until = now()"
            " WHERE seq = 1"
        ),
    ),
}
"""Statements that damage rows as a bug could. Some drop a constraint first."""


def test_every_check_is_damaged() -> None:
    assert {*DAMAGE, "wake_ups"} == {check.name for check in CHECKS}


async def found(w: Installation) -> set[str]:
    async with w.database.transaction() as connection:
        return {violation.check.name for violation in await verify(connection, SOON)}


@pytest.mark.parametrize("check", DAMAGE)
async def test_damage_is_found_and_reported(database_url: str, check: str) -> None:
    async with install_with_drainer(database_url, leads=4) as (w, drainer, _clay):
        for again in (False, True):
            await w.push(again=again)
            await w.drain_all(drainer)
        assert await found(w) == set()
        for statement in DAMAGE[check]:
            await w.fetch(statement)
        assert check in await found(w)


async def test_deliveries_without_worker_or_wake_up_are_found(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=2) as (w, _drainer, _clay):
        await w.push()
        assert await found(w) == set()
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        assert await found(w) == {"wake_ups"}


SET_BY_HAND = """
INSERT INTO clay.audit_log (at, org_id, actor, action, details)
VALUES (now() + CAST(:after AS interval), :org_id, 'user:owner', 'config.changed', CAST(:details AS jsonb))
"""


@pytest.mark.parametrize(
    ("hours_after", "details", "quota_used", "is_broken"),
    [
        (1, '{"quota_used": 2}', 2, False),  # set after all POSTs: the new value includes them
        (1, '{"quota_used": 2}', 1, True),
        (-1, '{"quota_used": 2}', 4 + 2, False),
        (-1, '{"quota_used": 2}', 4 + 1, True),  # set before the POSTs: those sent since then are added
        (-1, '{"rate_limit_ms": 2}', 3, True),  # another setting was changed
    ],
)
async def test_the_meter_is_checked_from_its_last_manual_setting(
    database_url: str, hours_after: int, details: str, quota_used: int, *, is_broken: bool
) -> None:
    async with install_with_drainer(database_url, leads=4) as (w, drainer, _clay):
        await w.push()
        await w.drain_all(drainer)
        await w.fetch("UPDATE clay.destination_versions SET created_at = now() - interval '1 day'")
        await w.fetch(SET_BY_HAND, after=timedelta(hours=hours_after), org_id=w.org_id, details=details)
        await w.fetch("UPDATE clay.quota_meters SET used = :used", used=quota_used)
        assert await found(w) == ({"quota"} if is_broken else set())


async def test_a_meter_set_for_another_webhook_does_not_count(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=4) as (w, drainer, clay):
        await w.fetch(SET_BY_HAND, after=timedelta(seconds=-1), org_id=w.org_id, details='{"quota_used": 2}')
        await w.configure(clay.url)
        await w.push()
        await w.drain_all(drainer)
        assert await found(w) == set()
        await w.fetch("UPDATE clay.quota_meters SET used = 1")
        assert await found(w) == {"quota"}
