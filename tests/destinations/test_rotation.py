"""Rotation of secrets while leads are sent, and stored secrets that are truncated, moved, or sealed with another key."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import cycle

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs

from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.destination_settings.connection_test.send_row import try_webhook
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.reseal import reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.destinations.stored_destination import read_destination
from clay_push_service.errors import ConflictError
from clay_push_service.sending.drainer import Drainer
from tests.harness.installation import Installation, install_with_drainer
from tests.support.receiver import Receiver

OLD, NEW, STRANGE = (SecretStr(generate_key()) for _ in range(3))


async def test_rotation_during_sending_causes_no_failed_send(database_url: str) -> None:
    """The test reseals secrets continuously in both directions, while each slice decrypts the webhook."""
    async with install_with_drainer(
        database_url, leads=400, token="token-of-the-webhook", encryption_keys=(OLD, NEW)
    ) as (
        w,
        drainer,
        clay,
    ):
        jobs = [await w.push(w.lead_ids[start : start + 20]) for start in range(0, 400, 20)]
        resealed = 0

        async def rotate() -> None:
            nonlocal resealed
            for ring in cycle([(NEW, OLD), (OLD, NEW)]):
                resealed += (await reseal(w.database, SecretBox(ring))).resealed

        rotating = asyncio.create_task(rotate())
        await w.drain_all(drainer)
        rotating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rotating
        assert resealed >= 2, "secrets must be resealed with both key rings"
        assert {(await w.job(job.job_id)).success_count for job in jobs} == {20}
        assert set(clay.leads.values()) == {1}
        assert len(clay.posts) == 400
        assert all(b"x-clay-webhook-auth: token-of-the-webhook" in head for head in clay.headers)
        await reseal(w.database, SecretBox((NEW, OLD)))
        only_new = SecretBox((NEW,))
        async with w.database.transaction() as connection:
            destination = await read_destination(connection, only_new, w.org_id)
        assert destination is not None
        assert destination.webhook is not None
        assert (destination.webhook.url, destination.webhook.token) == (clay.url, "token-of-the-webhook")


async def wrong_key(_: Installation, drainer: Drainer) -> None:
    drainer.context.box = SecretBox((STRANGE,))


async def same_id_other_key(w: Installation, drainer: Drainer) -> None:
    drainer.context.box = SecretBox(
        (SecretStr(f"{w.secret_box.first_key_id}:{STRANGE.get_secret_value().partition(':')[2]}"),)
    )


async def cut(w: Installation, _: Drainer) -> None:
    await w.fetch("UPDATE clay.destination_versions SET sealed_url = substring(sealed_url FOR length(sealed_url) - 1)")


async def altered_token(w: Installation, _: Drainer) -> None:
    await w.fetch(
        "UPDATE clay.destination_versions SET sealed_token = set_byte(sealed_token, 40, get_byte(sealed_token, 40) # 1)"
    )


async def moved_from_another_row(w: Installation, _: Drainer) -> None:
    """Returns a valid value of another row of the same organization."""
    [current] = await w.fetch("SELECT version_id FROM clay.destinations")
    await w.configure("https://api.clay.com/v3/sources/webhook/another", token="other")
    await w.fetch(
        "UPDATE clay.destination_versions SET sealed_url = (SELECT sealed_url FROM clay.destination_versions WHERE number = 2)"
        " WHERE id = :id",
        id=current.version_id,
    )
    await w.fetch("UPDATE clay.destinations SET version_id = :id", id=current.version_id)


async def moved_to_another_organization(w: Installation, _: Drainer) -> None:
    """Returns a value that was sealed for the same row of another organization."""
    [version] = await w.fetch("SELECT id FROM clay.destination_versions")
    other = w.project_id
    await w.fetch(
        "UPDATE clay.destination_versions SET sealed_url = :sealed",
        sealed=w.secret_box.seal("http://127.0.0.1:1/v3/x", other, version.id),
    )


ATTACKS = [wrong_key, same_id_other_key, cut, altered_token, moved_from_another_row, moved_to_another_organization]


def alarms() -> float:
    return REGISTRY.get_sample_value("clay_push_secrets_unreadable_total") or 0.0


async def tried(w: Installation, drainer: Drainer) -> str | None:
    async with w.database.transaction() as connection:
        destination = await read_destination(connection, drainer.context.box, w.org_id)
    assert destination is not None
    assert destination.webhook is not None
    client = ClayClient.create(w.settings)
    try:
        finding = await try_webhook(
            w.database, client, Policy.of(w.settings), w.org_id, "user:owner", destination.webhook, DatabaseClock()
        )
    finally:
        await client.close()
    return finding.cause


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_an_undecryptable_secret_closes_the_destination_and_nothing_is_sent(
    database_url: str, attack: Callable[[Installation, Drainer], asyncio.Future[None]]
) -> None:
    async with install_with_drainer(database_url, leads=5, token="token-of-the-webhook") as (w, drainer, clay):
        accepted = await w.push()
        before = alarms()
        await attack(w, drainer)
        with capture_logs() as logged:
            await w.drain_all(drainer)
        assert clay.connections == 0
        assert {row.cause for row in await w.deliveries(accepted.job_id)} == {"secret_unreadable"}
        assert (await w.job(accepted.job_id)).status == "failed"
        [version] = await w.fetch("SELECT state, state_reason FROM clay.destination_versions WHERE number = 1")
        assert tuple(version) == ("closed", "secret_unreadable")
        [report] = [each for each in logged if each["event"] == "destination.secret_unreadable"]
        assert report["log_level"] == "error"
        assert alarms() == before + 1
        with pytest.raises(ConflictError) as refused:
            await w.push()
        assert refused.value.extra["reason"] == "secret_unreadable"


async def test_a_successful_test_opens_the_destination_after_the_keys_are_restored(database_url: str) -> None:
    clay = Receiver()
    async with install_with_drainer(database_url, clay, leads=3) as (w, drainer, _):
        await w.push()
        await wrong_key(w, drainer)
        await w.drain_all(drainer)
        assert await tried(w, drainer) == "secret_unreadable"
        assert clay.connections == 0
        drainer.context.box = w.secret_box
        assert await tried(w, drainer) is None
        again = await w.push()
        await w.drain_all(drainer)
        assert (await w.job(again.job_id)).success_count == 3
