"""Every command that changes push jobs, deliveries or destinations, and a scene with rows that each command changes."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from clay_push_service.automation import run as auto_export
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Verdict
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.deliveries.claim import claim, mark_sending, release
from clay_push_service.deliveries.end_queued import end_queued, end_queued_of_version
from clay_push_service.deliveries.results import Result, record
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.destination_settings.config_change import ConfigChange
from clay_push_service.destination_settings.configure import configure
from clay_push_service.destination_settings.connection_test.send_row import try_webhook
from clay_push_service.destination_settings.host_sync import sync_host_settings
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.quota import Meter
from clay_push_service.destinations.reseal import reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.destinations.slots import WorkspaceKey
from clay_push_service.destinations.stored_destination import StoredWebhook
from clay_push_service.privacy.erase import erase
from clay_push_service.privacy.retention import empty_old_jobs
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.retry import retry
from clay_push_service.push_jobs.schemas import RetryBody
from clay_push_service.states import DestinationState
from tests.harness.api import FixedResolver
from tests.harness.installation import Installation
from tests.support.receiver import OK, Receiver, status

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"


LEADS = 12


MOST_SECONDS = 0.004


LEASE = timedelta(seconds=30)


LONG_TIMEOUTS: dict[str, Any] = {
    "request_timeout_seconds": 60.0,
    "connect_timeout_seconds": 60.0,
    "lease_seconds": 150.0,
}


REJECTED = Outcome(Verdict.FAILED, Cause.REJECTED, 422, resets_streaks=True)


UNKNOWN = Outcome(Verdict.FAILED, Cause.UNKNOWN, submissions=1)


@dataclass
class Scene:
    """A finished push job with failed leads, and a running one with waiting leads, in-flight leads and expired leases."""

    w: Installation
    ended: UUID = field(default_factory=uuid4)
    live: UUID = field(default_factory=uuid4)
    version_id: UUID = field(default_factory=uuid4)
    results: list[Result] = field(default_factory=list)
    token: UUID = field(default_factory=uuid4)
    """The claim token of all claimed and in-flight leads."""
    claimed: list[UUID] = field(default_factory=list)
    clay: Receiver = field(default_factory=Receiver)

    @property
    def actor(self) -> Actor:
        return Actor(self.w.org_id, "user:test")

    async def set(self) -> None:
        await self.w.fetch("DELETE FROM clay.erased_leads")
        await self.w.fetch("DELETE FROM clay.clay_push_log")
        await self.w.fetch("DELETE FROM clay.auto_export_runs")
        await self.w.fetch("DELETE FROM clay.push_jobs")
        await self.w.fetch("DELETE FROM clay.procrastinate_jobs")
        await self.w.fetch("UPDATE clay.workspaces SET next_slot_at = now(), throttled_ms = NULL")
        self.version_id = await self.w.configure(WEBHOOK)
        self.ended = (await self.w.push(self.w.lead_ids[:LEADS])).job_id
        await self.w.fetch(
            "UPDATE clay.clay_push_log SET status = 'failed', state = 'done', cause = 'rejected', finished_at = now()"
        )
        await self.w.fetch(
            "UPDATE clay.push_jobs SET status = 'failed', failed_count = lead_count, started_at = now(), filters = :filters,"
            " finished_at = now() - interval '400 days'",
            filters='{"search": "no such name"}',
        )
        self.live = (await self.w.push(self.w.lead_ids[: LEADS * 3 // 2])).job_id
        token = self.token = uuid4()
        async with self.w.database.driver() as connection:
            claims = await claim(connection, self.live, token, LEADS, LEASE)
            self.claimed = [each.delivery_id for each in claims[LEADS // 2 :]]
            sending = [each.delivery_id for each in claims[: LEADS // 2]]
            await mark_sending(connection, token, sending, LEASE)
        self.results = [Result(each, self.live, self.version_id, token, UNKNOWN) for each in sending[:3]]
        await self.w.fetch(
            "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second' WHERE id = ANY(:ids)",
            ids=sending[3:],
        )


Command = Callable[[Scene], Awaitable[object]]


async def accepts(scene: Scene) -> None:
    await scene.w.push(scene.w.lead_ids[::-1], again=True)


async def retries(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        tables = await scene.w.host_tables.tables(connection)
        await retry(connection, tables, scene.actor, scene.ended, RetryBody())


async def cancels(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await cancel(connection, scene.actor, scene.live)


async def erases(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await erase(
            connection, await scene.w.host_tables.tables(connection), scene.w.org_id, "user:test", scene.w.lead_ids[2:]
        )


async def saves_settings(scene: Scene) -> None:
    change = ConfigChange(webhook_url=f"{WEBHOOK}-{uuid4()}", rate_limit_ms=random.randint(100, 200))
    policy = Policy.of(scene.w.settings)
    names = FixedResolver({"api.clay.com": ["93.184.216.34"]})
    await configure(scene.w.database, scene.w.secret_box, policy, names, scene.w.org_id, "user:test", change)


async def removes_destination(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await remove_destination(connection, scene.w.org_id, "user:test")


async def closes(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await end_queued_of_version(connection, scene.version_id, Cause.UNAUTHORIZED)


async def records(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await record(connection, scene.results, 30.0)


async def claims(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await claim(connection, scene.live, uuid4(), LEADS, LEASE)


async def marks(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await mark_sending(connection, scene.token, scene.claimed, LEASE)


async def releases(scene: Scene) -> None:
    """Release claims as a slice does at its end, when its push job may be cancelled."""
    async with scene.w.database.transaction() as connection:
        await release(connection, scene.token, scene.claimed)
    async with scene.w.database.transaction() as connection:
        await end_queued(connection, [scene.live], Cause.CANCELLED)


async def tries_webhook(scene: Scene) -> None:
    await _tries_webhook(scene, OK)


async def tries_throttled_webhook(scene: Scene) -> None:
    await _tries_webhook(scene, status(429, headers="Retry-After: 1\r\n"))


async def _tries_webhook(scene: Scene, answer: bytes) -> None:
    scene.clay.answer = lambda _number, _body: answer
    client = ClayClient.create(scene.w.settings)
    [row] = await scene.w.fetch("SELECT org_id, id FROM clay.workspaces")
    workspace = WorkspaceKey(row.org_id, row.id)
    webhook = StoredWebhook(
        uuid4(),
        scene.version_id,
        workspace,
        scene.clay.url,
        None,
        "masked",
        Meter(uuid4(), 0, None),
        DestinationState.OPEN,
    )
    try:
        policy, clock = Policy.of(scene.w.settings), DatabaseClock()
        await try_webhook(scene.w.database, client, policy, scene.w.org_id, "user:test", webhook, clock)
    finally:
        await client.close()


async def sweeps(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        await sweep(connection)


async def exports(scene: Scene) -> None:
    async with scene.w.database.transaction() as connection:
        tables = await scene.w.host_tables.tables(connection)
        await auto_export.run_rule(connection, tables, scene.actor, scene.w.project_id, uuid4(), scene.w.settings)


async def takes_over(scene: Scene) -> None:
    await scene.w.fetch(
        "INSERT INTO public.org_settings (org_id, key, value) VALUES (:org_id, 'CLAY_TABLE_NAME', :name)"
        " ON CONFLICT (org_id, key) DO UPDATE SET value = excluded.value",
        org_id=scene.w.org_id, name=uuid4().hex,
    )  # fmt: skip
    async with scene.w.database.transaction() as connection:
        await sync_host_settings(
            connection, await scene.w.host_tables.tables(connection), scene.w.org_id, scene.w.settings
        )


async def empties_old(scene: Scene) -> None:
    await empty_old_jobs(scene.w.database, 180, batches=2)


async def rotates(scene: Scene) -> None:
    keys = scene.w.settings.encryption_keys
    await reseal(scene.w.database, SecretBox((type(keys[0])(generate_key()), *keys)))


COMMANDS: list[Command] = [
    accepts, retries, cancels, erases, saves_settings, removes_destination, closes, records, claims, marks, releases,
    tries_webhook, tries_throttled_webhook, sweeps, exports, takes_over, empties_old, rotates,
]  # fmt: skip
