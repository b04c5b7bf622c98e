"""The quota meter: one per organization and webhook URL, shared by all versions of the destination."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command

from clay_push_service import migrations
from clay_push_service.database.database import Database
from clay_push_service.deliveries.invariants import verify
from clay_push_service.destination_settings.config_change import ConfigChange
from clay_push_service.destination_settings.save_config import SaveConfig
from clay_push_service.destinations.guard import Policy, check_url
from clay_push_service.destinations.stored_destination import read_destination
from clay_push_service.destinations.url_fingerprint import fingerprint, is_salted_of
from tests.harness.api import WEBHOOK, Api, run_api, run_api_with_leads
from tests.harness.installation import Installation, install

CONFIG = "/api/clay/config"
LEADS = 12


async def used(p: Api) -> int:
    """Returns the used quota that the config and /status show."""
    status = await p.call("GET", "/api/clay/status")
    assert status["quota"]["used"] == (await p.call("GET", CONFIG))["quota_used"]
    shown: int = status["quota"]["used"]
    return shown


async def test_a_token_that_is_saved_during_a_push_does_not_split_the_count(database_url: str) -> None:
    """The push keeps the version with which it was accepted. Both versions have the same webhook."""
    async with run_api_with_leads(database_url, leads=LEADS) as p:
        await p.queue()
        await p.call("PUT", CONFIG, {"webhook_token": "saved-in-mid-push"})
        await p.drain()
        assert await used(p) == LEADS
        await p.push_and_drain(push_again=True)
        assert await used(p) == 2 * LEADS == len(p.receiver.posts)


async def test_a_url_that_is_saved_again_keeps_its_count_and_counts_leads_queued_for_it(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as p:
        url = p.receiver.url
        await p.queue()
        await p.call("PUT", CONFIG, {"webhook_url": f"{url}-b"})
        assert await used(p) == 0
        await p.call("PUT", CONFIG, {"webhook_url": url})
        await p.drain()
        assert await used(p) == LEADS
        await p.call("PUT", CONFIG, {"webhook_url": f"{url}-b"})
        await p.push_and_drain(push_again=True)
        assert await used(p) == LEADS
        await p.call("PUT", CONFIG, {"webhook_url": url, "webhook_token": "another"})
        await p.push_and_drain(push_again=True)
        assert await used(p) == 2 * LEADS
        await p.call("POST", "/api/clay/test")
        assert await used(p) == 2 * LEADS + 1


async def test_a_preview_counts_the_queued_leads_of_all_versions_of_the_webhook(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as p:
        await p.call("PUT", CONFIG, {"quota_limit": 100})
        await p.queue(p.lead_ids[:5])
        await p.call("PUT", CONFIG, {"webhook_token": "another"})
        body = {"lead_ids": [str(each) for each in p.lead_ids[5:]], "project_id": str(p.project_id)}
        preview = await p.call("POST", "/api/clay/preview", body)
        assert preview["quota_left_after"] == 100 - LEADS


async def test_a_quota_set_by_hand_applies_to_all_versions_of_the_webhook(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as p:
        await p.queue()
        await p.call("PUT", CONFIG, {"webhook_token": "another", "quota_used": 500, "quota_limit": 600})
        await p.drain()
        assert await used(p) == 500 + LEADS
        assert (await p.call("GET", CONFIG))["quota_limit"] == 600


async def test_two_organizations_with_the_same_url_have_separate_meters(database_url: str) -> None:
    async with run_api(database_url) as app:
        await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "quota_used": 7})
        assert (await app.put(CONFIG, "other_owner", {"webhook_url": WEBHOOK})).json()["quota_used"] == 0
    assert fingerprint(app.org_id, WEBHOOK) != fingerprint(app.other_org_id, WEBHOOK)


VERSION = """
INSERT INTO clay.destination_versions (id, org_id, destination_id, number, url_mask, url_fingerprint, fuel_used, fuel_limit,
                                       source, created_at)
VALUES ($1, $2, $3, $4::int, $5, $6, $7, $8, 'api', now() - interval '1 day' + $4::int * interval '1 hour')
"""
JOB = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_version_id, table_epoch, push_mode, status, lead_count,
                            success_count, failed_count, unknown_count, finished_at)
VALUES ($1, $2, $2, $3, 1, 'all', 'completed', $4::int + $5::int, $4::int, $5::int, $5::int, now())
"""
DELIVERY = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, table_epoch, status, state, cause, finished_at)
SELECT $1::uuid, $2::uuid, gen_random_uuid(), $1::uuid, 1, CASE WHEN each <= $3::int THEN 'success' ELSE 'failed' END, 'done',
       CASE WHEN each > $3::int THEN 'unknown' END, now() - interval '1 hour'
FROM generate_series(1, $3::int + $4::int) AS each
"""
A = "https://api.clay.com/v3/…/••••aaaa"
B = "https://api.clay.com/v3/…/••••bbbb"


class Earlier:
    """A database of the previous release, with one organization."""

    def __init__(self, connection: asyncpg.Connection, org_id: UUID, destination_id: UUID) -> None:
        self.connection, self.org_id, self.destination_id = connection, org_id, destination_id

    async def version(self, number: int, mask: str, *, used: int, taken: int, unknown: int = 0) -> None:
        version_id, job_id = uuid4(), uuid4()
        salted = b"s" * 16 + bytes([number]) * 32
        await self.connection.execute(
            VERSION, version_id, self.org_id, self.destination_id, number, mask, salted, used, 50_000 + number
        )
        await self.connection.execute(JOB, job_id, self.org_id, version_id, taken, unknown)
        await self.connection.execute(DELIVERY, self.org_id, job_id, taken, unknown)

    async def set_by_hand(self, value: int, hours: int) -> None:
        """Set the quota manually, this many hours after the first version. Versions are created once an hour."""
        await self.connection.execute(
            "INSERT INTO clay.audit_log (at, org_id, actor, action, details) VALUES (now() - interval '1 day' + $1::int *"
            " interval '1 hour', $2, 'user:owner', 'config.changed', jsonb_build_object('fuel_used', $3::int))",
            hours, self.org_id, value,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("versions", "by_hand", "meters"),
    [
        # A token was saved during a push. The second version started with the count of the first, and showed 33 of 300.
        ([(1, A, 300, 290, 10), (2, A, 33, 0, 0)], None, [300]),
        # Counters that overlap are not added twice: the third contains 36 of the first.
        ([(1, A, 300, 300, 0), (2, B, 20, 20, 0), (3, A, 86, 50, 0)], None, [20, 350]),
        # A webhook was in use before it was saved here: it had 1,000 submissions.
        ([(1, A, 1100, 100, 0), (2, A, 1050, 50, 0)], None, [1150]),
        # set manually after all leads were sent; set manually before
        ([(1, A, 500, 300, 0), (2, A, 33, 0, 0)], (500, 23), [500]),
        ([(1, A, 500, 300, 0), (2, A, 33, 20, 0)], (500, 1), [820]),
        # A mask without any part of the URL does not distinguish webhooks, so each version keeps its own count.
        ([(1, "••••", 5, 5, 0), (2, "••••", 7, 7, 0)], None, [5, 7]),
    ],
)
async def test_the_migration_sums_the_counters_of_all_versions_of_a_webhook(
    empty_database_url: str,
    versions: Sequence[tuple[int, str, int, int, int]],
    by_hand: tuple[int, int] | None,
    meters: list[int],
) -> None:
    command.upgrade(migrations.alembic_config(empty_database_url), "0009")
    connection = await asyncpg.connect(empty_database_url)
    try:
        org_id = uuid4()
        destination_id = await connection.fetchval(
            "INSERT INTO clay.destinations (org_id) VALUES ($1) RETURNING id", org_id
        )
        earlier = Earlier(connection, org_id, destination_id)
        for number, mask, count, taken, unknown in versions:
            await earlier.version(number, mask, used=count, taken=taken, unknown=unknown)
        if by_hand is not None:
            await earlier.set_by_hand(*by_hand)
        migrations.upgrade(empty_database_url)
        rows = await connection.fetch("SELECT used, quota_limit FROM clay.quota_meters ORDER BY used")
        assert [row["used"] for row in rows] == meters
        newest = await connection.fetchval(
            "SELECT quota_limit FROM clay.quota_meters AS meter JOIN clay.destination_versions AS version"
            " ON version.meter_id = meter.id ORDER BY number DESC LIMIT 1"
        )
        assert newest == 50_000 + len(versions)
        database = Database(empty_database_url, 1)
        async with database.transaction() as checked:
            broken = await verify(checked, timedelta(days=1))
        await database.close()
        assert [violation.check.name for violation in broken if violation.check.name in {"quota", "one_meter"}] == []
    finally:
        await connection.close()


@pytest.mark.parametrize("kept", ["salted", "none"])
async def test_a_meter_from_before_the_migration_is_found_by_its_url(database_url: str, kept: str) -> None:
    """A version's salted fingerprint identifies the meter, or the end of the URL if no fingerprint is stored."""
    async with run_api(database_url) as app:
        await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "quota_used": 7})
        await app.send("DELETE", CONFIG, "owner")
        salted = b"saltsaltsaltsalt" + digest(WEBHOOK, b"saltsaltsaltsalt")
        assert is_salted_of(WEBHOOK, salted)
        assert not is_salted_of(f"{WEBHOOK}x", salted)
        await app.host.connection.execute(
            "UPDATE clay.destination_versions SET url_fingerprint = $1", salted if kept == "salted" else None
        )
        await app.host.connection.execute("UPDATE clay.quota_meters SET url_fingerprint = NULL")
        assert (await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()["quota_used"] == 7
        assert await app.host.connection.fetchval("SELECT count(*) FROM clay.quota_meters") == 1


@pytest.mark.parametrize(("written", "raised"), [(50, 100), (100, 100), (200, 200), (0, 0)])
async def test_the_migration_raises_a_pace_beyond_clays_limit(
    empty_database_url: str, written: int, raised: int
) -> None:
    command.upgrade(migrations.alembic_config(empty_database_url), "0009")
    connection = await asyncpg.connect(empty_database_url)
    try:
        destination_id = await connection.fetchval(
            "INSERT INTO clay.destinations (org_id, rate_limit_ms) VALUES ($1, $2) RETURNING id", uuid4(), written
        )
        await connection.execute(
            "INSERT INTO clay.destination_versions (id, org_id, destination_id, number, url_mask, source)"
            " SELECT id, org_id, id, 1, $1, 'api' FROM clay.destinations", A
        )  # fmt: skip
        await connection.execute("UPDATE clay.destinations SET version_id = $1", destination_id)
        migrations.upgrade(empty_database_url)
        assert await connection.fetchval("SELECT rate_limit_ms FROM clay.workspaces") == raised
        assert await connection.fetchval("SELECT count(*) FROM clay.audit_log") == (written != raised)
    finally:
        await connection.close()


def digest(url: str, salt: bytes) -> bytes:
    """Returns the digest that releases before the migration stored."""
    return hmac.digest(salt, url.encode(), hashlib.sha256)


async def save_token(w: Installation, token: str) -> None:
    async with w.database.transaction() as connection:
        current = await read_destination(connection, w.secret_box, w.org_id, lock=True)
        assert current is not None
        assert current.webhook is not None
        checked = check_url(current.webhook.url or "", Policy.of(w.settings))
        change = ConfigChange(webhook_token=token)
        await SaveConfig(
            connection,
            w.secret_box,
            w.org_id,
            "user:test",
            "api",
            change,
            current,
            checked,
            unmasked=False,
            internal=False,
        ).run()


async def test_a_second_meter_that_an_earlier_release_added_for_a_url_is_merged(database_url: str) -> None:
    """During a rolling upgrade, a web process of a release before 0010 saves a URL that already has a meter."""
    async with install(database_url, leads=1) as w:
        for used_before in (2, 3):
            await w.configure(WEBHOOK)  # an earlier release stores no fingerprint with the version
            await w.fetch("UPDATE clay.quota_meters SET used = :used WHERE url_fingerprint IS NULL", used=used_before)
            await save_token(w, f"token-{used_before}")
        [meter] = await w.fetch("SELECT DISTINCT meter_id, used FROM clay.destination_versions AS version"
                                " JOIN clay.quota_meters AS meter ON meter.id = version.meter_id")  # fmt: skip
        assert meter.used == 2 + 3
        async with w.database.transaction() as connection:
            assert await verify(connection, timedelta(0)) == []
