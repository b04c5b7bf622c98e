"""Rotates the encryption keys in the four steps of the runbook while two workers push. No lead is affected."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from clay_push_service.commands import rotate
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.destinations.stored_destination import read_destination
from tests.harness.fault_run import run_with_faults

OLD, NEW = generate_key(), generate_key()


@pytest.mark.faults
async def test_a_key_rotation_during_a_push_affects_no_lead(database_url: str, tmp_path: Path) -> None:
    """20 push jobs make workers with both key rings decrypt the webhook again and again."""
    async with run_with_faults(
        database_url,
        tmp_path,
        leads=1040,
        workers=2,
        delay_seconds=0.7,
        in_flight_per_destination=6,
        encryption_keys=(SecretStr(OLD),),
        request_timeout_seconds=5.0,
        lease_seconds=15.0,
    ) as run:
        w, leads = run.installation, run.installation.lead_ids
        jobs = [await w.push(leads[start : start + 50]) for start in range(0, 1000, 50)]
        await run.receiver.until(50, 30.0)
        for ring in ((OLD, NEW), (NEW, OLD)):
            await run.restart(ENCRYPTION_KEYS=",".join(ring))
        ring_of_both = w.settings.model_copy(update={"encryption_keys": (SecretStr(NEW), SecretStr(OLD))})
        assert await asyncio.to_thread(rotate.run, ring_of_both) == 0
        await run.restart(ENCRYPTION_KEYS=NEW)
        assert len(run.receiver.posts) < 950, "the push ended before the rotation"
        run.receiver.delay_seconds = 0.02
        for job in jobs:
            await run.wait_until_finished(job.job_id, 90.0)
        assert run.workers.ended == [0] * 6
        await run.assert_nothing_lost("rotation in four steps, the last of 20 jobs", jobs[-1].job_id)
        assert {(await w.job(job.job_id)).success_count for job in jobs} == {50}
        last = await w.push(leads[1000:])
        await run.wait_until_finished(last.job_id, 30.0)
        assert (await w.job(last.job_id)).success_count == 40
        assert set(run.receiver.leads.values()) == {1}
        async with w.database.transaction() as connection:
            destination = await read_destination(connection, SecretBox((SecretStr(NEW),)), w.org_id)
        assert destination is not None
        assert destination.webhook is not None
        assert destination.webhook.url == run.receiver.url
