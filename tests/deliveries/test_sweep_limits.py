"""The sweep does not change valid leases, leads that are not due, jobs that are being drained, and rows that are still needed."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.sweep import SweepCounts, sweep
from tests.harness.installation import Installation, install

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
LONG = timedelta(minutes=5)


async def swept(w: Installation) -> SweepCounts:
    async with w.database.transaction() as connection:
        return await sweep(connection)


async def test_a_valid_lease_is_unchanged_when_another_has_expired(database_url: str) -> None:
    async with install(database_url, leads=6) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        async with w.database.transaction() as connection:
            token = uuid4()
            ids = [each.delivery_id for each in await claim(connection, accepted.job_id, token, 6, LONG)]
        # two rows of each kind, updated directly; one lease of each kind has expired
        await w.fetch("UPDATE clay.clay_push_log SET state = 'sending' WHERE id = ANY(:ids)", ids=ids[:3])
        await w.fetch(
            "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second' WHERE id = ANY(:ids)",
            ids=[ids[0], ids[3]],
        )
        assert await swept(w) == SweepCounts(unknown=1, returned=1, woken=1)
        states = {row.id: (row.state, row.cause) for row in await w.deliveries(accepted.job_id)}
        assert states[ids[0]] == ("done", "unknown")
        assert states[ids[3]] == ("waiting", None)
        assert {states[each] for each in ids[1:3]} == {("sending", None)}
        assert {states[each] for each in ids[4:]} == {("claimed", None)}


async def test_an_attempt_without_a_response_counts_as_an_attempt(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        async with w.database.transaction() as connection:
            token = uuid4()
            [claimed] = await claim(connection, accepted.job_id, token, 1, LONG)
        await w.fetch("UPDATE clay.clay_push_log SET state = 'sending', lease_until = now() - interval '1 second'")
        await swept(w)
        [row] = await w.deliveries(accepted.job_id)
        assert (row.id, row.attempts, row.status, row.cause) == (claimed.delivery_id, 1, "failed", "unknown")


@pytest.mark.parametrize(
    ("due_at", "drained_at", "woken"),
    [
        ("now()", "NULL", 1),
        ("now() + interval '1 minute'", "NULL", 0),
        ("now()", "now()", 0),
        ("now()", "now() - interval '5 seconds'", 0),
        ("now()", "now() - interval '15 seconds'", 1),
    ],
)
async def test_a_job_is_woken_only_when_leads_are_due_and_no_slice_runs(
    database_url: str, due_at: str, drained_at: str, woken: int
) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        await w.push()
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        await w.fetch(f"UPDATE clay.clay_push_log SET due_at = {due_at}")
        await w.fetch(f"UPDATE clay.push_jobs SET created_at = now() - interval '1 hour', drained_at = {drained_at}")
        assert await swept(w) == SweepCounts(woken=woken)


async def test_a_finished_job_is_not_woken(database_url: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        await w.push()
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        await w.fetch(
            "UPDATE clay.push_jobs SET created_at = now() - interval '1 hour', status = 'cancelled', finished_at = now()"
        )
        assert await swept(w) == SweepCounts()


@pytest.mark.parametrize(("minutes", "task", "removed"), [(1, None, 0), (4, None, 0), (6, None, 1), (60, "another", 0)])
async def test_only_drain_jobs_that_have_run_for_minutes_are_removed(
    database_url: str, minutes: int, task: str | None, removed: int
) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure(WEBHOOK)
        await w.push()
        await w.fetch(
            "UPDATE clay.procrastinate_jobs SET status = 'doing', task_name = coalesce(:task, task_name)", task=task
        )
        await w.fetch("UPDATE clay.procrastinate_events SET at = at - :minutes * interval '1 minute'", minutes=minutes)
        assert (await swept(w)).stuck == removed
        assert len(await w.fetch("SELECT 1 FROM clay.procrastinate_jobs WHERE status = 'doing'")) == 1 - removed


async def test_keys_are_kept_for_a_day_and_workers_for_an_hour(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        for hours in (23, 25):
            await w.fetch(
                "INSERT INTO clay.idempotency_keys (org_id, key, request_hash, status, response, created_at)"
                " VALUES (:org, :key, '', 202, '{}', now() - :hours * interval '1 hour')",
                org=w.org_id, key=str(hours), hours=hours,
            )  # fmt: skip
        for minutes in (59, 61):
            await w.fetch(
                "INSERT INTO clay.workers (id, hostname, pid, version, seen_at)"
                " VALUES (gen_random_uuid(), :name, 1, '0', now() - :minutes * interval '1 minute')",
                name=str(minutes), minutes=minutes,
            )  # fmt: skip
        await swept(w)
        assert [row.key for row in await w.fetch("SELECT key FROM clay.idempotency_keys")] == ["23"]
        assert [row.hostname for row in await w.fetch("SELECT hostname FROM clay.workers")] == ["59"]


async def test_one_worker_sweeps_at_a_time(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure(WEBHOOK)
        accepted = await w.push()
        async with w.database.transaction() as connection:
            token = uuid4()
            ids = [each.delivery_id for each in await claim(connection, accepted.job_id, token, 1, LONG)]
            await mark_sending(connection, token, ids, LONG)
        await w.fetch("UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second'")
        async with w.database.transaction() as other:
            assert (
                await other.execute(text("SELECT pg_try_advisory_xact_lock(hashtext('clay_push_sweep'))"))
            ).scalar_one()
            assert await swept(w) == SweepCounts()
        assert await swept(w) == SweepCounts(unknown=1)
