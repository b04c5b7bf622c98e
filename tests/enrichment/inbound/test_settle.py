"""A result that names a delivery of uncertain outcome settles it: counters, job, quota and the checks of `verify` agree."""

from collections.abc import Iterator
from typing import Any

import pytest

from clay_push_service.states import DeliveryStatus
from tests.enrichment.results import Results, results
from tests.support.receiver import Behaviour, Receiver, Reset, status


async def pushed(r: Results) -> Any:
    return await r.api.push_and_drain()


async def used(r: Results) -> int:
    return int((await r.api.call("GET", "/api/clay/config"))["quota_used"])


async def test_an_unknown_delivery_becomes_a_success_and_is_never_sent_again(database_url: str) -> None:
    async with results(database_url, leads=3, clay=Receiver(answer=lambda *_: Reset())) as r:
        job = await pushed(r)
        assert (job["status"], job["failed_count"], job["unknown_count"]) == ("failed", 3, 3)
        before = await used(r)
        [first, second, third] = await r.deliveries()
        await r.send({"delivery_id": str(first["id"])})
        await r.send({"delivery_id": str(second["id"]), "email": "ada@example.com"})
        await r.apply()
        job = await r.api.job(job["id"])
        assert (job["status"], job["success_count"], job["failed_count"], job["unknown_count"]) == (
            "completed",
            2,
            1,
            1,
        )
        settled = (await r.deliveries())[0]
        assert (settled["status"], settled["cause"], settled["error_message"]) == (DeliveryStatus.SUCCESS, None, None)
        assert settled["pushed_at"] == settled["confirmed_at"] is not None
        assert await used(r) == before, "the quota counted them when no response came"
        await r.verify()
        again = await r.api.push_and_drain()
        assert {each["cause"]: each["count"] for each in again["causes"]} == {"already_in_clay": 2, "maybe_in_clay": 1}
        await r.send({"delivery_id": str(third["id"])})
        await r.apply()
        assert (await r.api.job(job["id"]))["unknown_count"] == 0
        await r.verify()


async def test_a_delivery_that_failed_after_a_5xx_is_settled_and_counted(database_url: str) -> None:
    async with results(database_url, leads=1, clay=Receiver(answer=lambda *_: status(503))) as r:
        job = await pushed(r)
        [row] = await r.deliveries()
        assert (row["cause"], row["uncertain_attempts"]) == ("server_error", 4)
        before = await used(r)
        await r.send({"delivery_id": str(row["id"])})
        await r.apply()
        job = await r.api.job(job["id"])
        assert (job["status"], job["success_count"], job["failed_count"]) == ("completed", 1, 0)
        assert await used(r) == before + 1
        await r.verify()


async def test_a_delivery_that_clay_refused_is_not_settled(database_url: str) -> None:
    async with results(database_url, leads=1, clay=Receiver(answer=lambda *_: status(422))) as r:
        job = await pushed(r)
        [row] = await r.deliveries()
        await r.send({"delivery_id": str(row["id"]), "email": "ada@example.com"})
        await r.apply()
        assert (await r.api.job(job["id"]))["failed_count"] == 1
        assert (await r.deliveries())[0]["confirmed_at"] is None
        await r.verify()


async def test_a_delivery_that_waits_for_another_attempt_is_not_sent_again(database_url: str) -> None:
    async with results(database_url, leads=1) as r:
        job_id = await r.api.queue()
        await r.api.host.connection.execute("UPDATE clay.clay_push_log SET uncertain_attempts = 1, attempts = 1")
        [row] = await r.deliveries()
        await r.send({"delivery_id": str(row["id"])})
        await r.apply()
        await r.api.drain()
        assert r.api.receiver.posts == []
        job = await r.api.job(job_id)
        assert (job["status"], job["success_count"]) == ("completed", 1)
        await r.verify()


@pytest.mark.parametrize("settled_by", ["the same pass", "a later pass"])
async def test_a_result_that_arrives_while_its_delivery_is_in_flight(database_url: str, settled_by: str) -> None:
    async with results(database_url, leads=1) as r:
        job_id = await r.api.queue()
        [row] = await r.deliveries()
        await r.api.host.connection.execute(
            "UPDATE clay.clay_push_log SET state = 'sending', claim_token = gen_random_uuid(), lease_until = now() + interval '1 hour'"
        )
        await r.send({"delivery_id": str(row["id"])})
        await r.apply()
        [row] = await r.deliveries()
        assert (row["state"], row["confirmed_at"] is None) == ("sending", False)
        # As the sweep ends a delivery of a dead worker.
        await r.api.host.connection.execute(
            "UPDATE clay.clay_push_log SET state = 'done', status = 'failed', cause = 'unknown', uncertain_attempts = 1,"
            " claim_token = NULL, lease_until = NULL, finished_at = now()"
        )
        await r.api.host.connection.execute(
            "UPDATE clay.push_jobs SET failed_count = 1, unknown_count = 1, status = 'failed', finished_at = now()"
        )
        await r.api.host.connection.execute("UPDATE clay.quota_meters SET used = used + 1")
        if settled_by == "the same pass":
            await r.send({"lead_id": str(r.lead_id)})
        await r.apply()
        job = await r.api.job(job_id)
        assert (job["status"], job["success_count"], job["unknown_count"]) == ("completed", 1, 0)
        await r.verify()


async def test_a_lead_that_was_sent_again_before_the_first_delivery_was_settled_breaks_no_check(
    database_url: str,
) -> None:
    behaviours: Iterator[Behaviour] = iter([Reset(), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
    async with results(database_url, leads=1, clay=Receiver(answer=lambda *_: next(behaviours))) as r:
        job = await pushed(r)
        await r.api.call("POST", f"/api/clay/jobs/{job['id']}/retry", {"causes": ["unknown"]})
        await r.api.drain()
        [first, second] = await r.deliveries()
        assert (first["cause"], second["status"]) == ("unknown", "success")
        await r.send({"delivery_id": str(first["id"])})
        await r.apply()
        assert [each["status"] for each in await r.deliveries()] == ["success", "success"]
        await r.verify()
