"""A result that names a delivery of uncertain outcome settles it: counters, job, quota and the checks of `verify` agree."""

from collections.abc import Iterator
from typing import Any

import pytest

from clay_push_service.states import DeliveryStatus
from tests.enrichment.results import Results, results
from tests.support.receiver import Behaviour, Receiver, Reset, status


async def pushed(app: Results) -> Any:
    return await app.api.push_and_drain()


async def used(app: Results) -> int:
    return int((await app.api.call("GET", "/api/clay/config"))["quota_used"])


async def test_an_unknown_delivery_becomes_a_success_and_is_never_sent_again(database_url: str) -> None:
    async with results(database_url, leads=3, clay=Receiver(answer=lambda *_: Reset())) as app:
        job = await pushed(app)
        assert (job["status"], job["failed_count"], job["unknown_count"]) == ("failed", 3, 3)
        before = await used(app)
        [first, second, third] = await app.deliveries()
        await app.send({"delivery_id": str(first["id"])})
        await app.send({"delivery_id": str(second["id"]), "email": "ada@example.com"})
        await app.apply()
        job = await app.api.job(job["id"])
        assert (job["status"], job["success_count"], job["failed_count"], job["unknown_count"]) == (
            "completed",
            2,
            1,
            1,
        )
        settled = (await app.deliveries())[0]
        assert (settled["status"], settled["cause"], settled["error_message"]) == (DeliveryStatus.SUCCESS, None, None)
        assert settled["pushed_at"] == settled["confirmed_at"] is not None
        assert await used(app) == before, "the quota counted them when no response came"
        await app.verify()
        again = await app.api.push_and_drain()
        assert {each["cause"]: each["count"] for each in again["causes"]} == {"already_in_clay": 2, "maybe_in_clay": 1}
        await app.send({"delivery_id": str(third["id"])})
        await app.apply()
        assert (await app.api.job(job["id"]))["unknown_count"] == 0
        await app.verify()


async def test_a_delivery_that_failed_after_a_5xx_is_settled_and_counted(database_url: str) -> None:
    async with results(database_url, leads=1, clay=Receiver(answer=lambda *_: status(503))) as app:
        job = await pushed(app)
        [row] = await app.deliveries()
        assert (row["cause"], row["uncertain_attempts"]) == ("server_error", 4)
        before = await used(app)
        await app.send({"delivery_id": str(row["id"])})
        await app.apply()
        job = await app.api.job(job["id"])
        assert (job["status"], job["success_count"], job["failed_count"]) == ("completed", 1, 0)
        assert await used(app) == before + 1
        await app.verify()


async def test_a_delivery_that_clay_refused_is_not_settled(database_url: str) -> None:
    async with results(database_url, leads=1, clay=Receiver(answer=lambda *_: status(422))) as app:
        job = await pushed(app)
        [row] = await app.deliveries()
        await app.send({"delivery_id": str(row["id"]), "email": "ada@example.com"})
        await app.apply()
        assert (await app.api.job(job["id"]))["failed_count"] == 1
        assert (await app.deliveries())[0]["confirmed_at"] is None
        await app.verify()


async def test_a_delivery_that_waits_for_another_attempt_is_not_sent_again(database_url: str) -> None:
    async with results(database_url, leads=1) as app:
        job_id = await app.api.queue()
        await app.api.host.connection.execute("UPDATE clay.clay_push_log SET uncertain_attempts = 1, attempts = 1")
        [row] = await app.deliveries()
        await app.send({"delivery_id": str(row["id"])})
        await app.apply()
        await app.api.drain()
        assert app.api.receiver.posts == []
        job = await app.api.job(job_id)
        assert (job["status"], job["success_count"]) == ("completed", 1)
        await app.verify()


@pytest.mark.parametrize("settled_by", ["the same pass", "a later pass"])
async def test_a_result_that_arrives_while_its_delivery_is_in_flight(database_url: str, settled_by: str) -> None:
    async with results(database_url, leads=1) as app:
        job_id = await app.api.queue()
        [row] = await app.deliveries()
        await app.api.host.connection.execute(
            "UPDATE clay.clay_push_log SET state = 'sending', claim_token = gen_random_uuid(), lease_until = now() + interval '1 hour'"
        )
        await app.send({"delivery_id": str(row["id"])})
        await app.apply()
        [row] = await app.deliveries()
        assert (row["state"], row["confirmed_at"] is None) == ("sending", False)
        # As the sweep ends a delivery of a dead worker.
        await app.api.host.connection.execute(
            "UPDATE clay.clay_push_log SET state = 'done', status = 'failed', cause = 'unknown', uncertain_attempts = 1,"
            " claim_token = NULL, lease_until = NULL, finished_at = now()"
        )
        await app.api.host.connection.execute(
            "UPDATE clay.push_jobs SET failed_count = 1, unknown_count = 1, status = 'failed', finished_at = now()"
        )
        await app.api.host.connection.execute("UPDATE clay.quota_meters SET used = used + 1")
        if settled_by == "the same pass":
            await app.send({"lead_id": str(app.lead_id)})
        await app.apply()
        job = await app.api.job(job_id)
        assert (job["status"], job["success_count"], job["unknown_count"]) == ("completed", 1, 0)
        await app.verify()


async def test_a_lead_sent_again_before_its_first_delivery_is_settled_satisfies_all_checks(
    database_url: str,
) -> None:
    behaviours: Iterator[Behaviour] = iter([Reset(), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
    async with results(database_url, leads=1, clay=Receiver(answer=lambda *_: next(behaviours))) as app:
        job = await pushed(app)
        await app.api.call("POST", f"/api/clay/jobs/{job['id']}/retry", {"causes": ["unknown"]})
        await app.api.drain()
        [first, second] = await app.deliveries()
        assert (first["cause"], second["status"]) == ("unknown", "success")
        await app.send({"delivery_id": str(first["id"])})
        await app.apply()
        assert [each["status"] for each in await app.deliveries()] == ["success", "success"]
        await app.verify()
