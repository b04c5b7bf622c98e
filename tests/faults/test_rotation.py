"""The ring of keys is changed as the runbook says, in four steps, while two real workers push: no lead notices."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from clay_push_service.commands import rotate
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.destinations.unsealed import read_destination
from tests.faults.field import broken_ground

OLD, NEW = generate_key(), generate_key()


@pytest.mark.faults
async def test_rotation_step_by_step_under_a_push_of_a_thousand_leads(database_url: str, tmp_path: Path) -> None:
    """20 push jobs, so that the webhook is opened again all the time, by workers of both rings at once."""
    async with broken_ground(
        database_url,
        tmp_path,
        leads=1040,
        workers=2,
        delay_seconds=0.7,
        in_flight_per_destination=6,
        encryption_keys=(SecretStr(OLD),),
        request_timeout_seconds=5.0,
        lease_seconds=15.0,
    ) as field:
        w, leads = field.world, field.world.lead_ids
        jobs = [await w.push(leads[start : start + 50]) for start in range(0, 1000, 50)]
        await field.clay.until(50, 30.0)
        for ring in ((OLD, NEW), (NEW, OLD)):
            await field.restart(ENCRYPTION_KEYS=",".join(ring))
        ring_of_both = w.settings.model_copy(update={"encryption_keys": (SecretStr(NEW), SecretStr(OLD))})
        assert await asyncio.to_thread(rotate.run, ring_of_both) == 0
        await field.restart(ENCRYPTION_KEYS=NEW)
        assert len(field.clay.posts) < 950, "or there was no load"
        field.clay.delay_seconds = 0.02
        for job in jobs:
            await field.ended(job.job_id, 90.0)
        assert field.workers.ended == [0] * 6
        await field.account("rotation in four steps, the last of 20 jobs", jobs[-1].job_id)
        assert {(await w.job(job.job_id)).success_count for job in jobs} == {50}
        last = await w.push(leads[1000:])
        await field.ended(last.job_id, 30.0)
        assert (await w.job(last.job_id)).success_count == 40
        assert set(field.clay.leads.values()) == {1}
        async with w.database.transaction() as connection:
            destination = await read_destination(connection, SecretBox((SecretStr(NEW),)), w.org_id)
        assert destination is not None
        assert destination.webhook is not None
        assert destination.webhook.url == field.clay.url
