"""Keeps the leases of the workspaces that this process serves, adopts those of dead workers, and builds their suspects one by one."""

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from clay_push_service import logs, queue
from clay_push_service.deliveries.claim_turns import release_turns
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.deliveries.take_over import claim_suspect, expire_claims, reset_lost_claims
from clay_push_service.destinations import serving
from clay_push_service.sending.build_turns import TurnBuilder
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.served import ServedWorkspace

RENEW_AFTER_SECONDS = 1.5
"""After the last reservation, which renews the lease, too."""
ADOPTED_AT_ONCE = 300
LEFT_OVER = timedelta(seconds=1.5)
REBALANCE_SECONDS = 5.0
PROVING_SECONDS = 0.25
"""Limit of one pass: a suspect takes three round trips, and nothing else is renewed meanwhile."""

log = logs.get(__name__)


class Leases:
    """One per pacer."""

    def __init__(self, context: SendingContext, builder: TurnBuilder) -> None:
        self._context = context
        self._builder = builder
        self._balanced_at = time.monotonic()

    async def renew(self, workspaces: Iterable[ServedWorkspace]) -> list[ServedWorkspace]:
        """Renew leases that no reservation has renewed lately. Returns the workspaces that another worker serves now."""
        now = time.monotonic()
        due = {each.key: each for each in workspaces if now - each.renewed_at > RENEW_AFTER_SECONDS}
        if not due:
            return []
        async with self._context.database.driver() as connection:
            renewed = {each.key: each for each in await serving.renew(connection, due, self._context.worker_id)}
        for key, each in due.items():
            if (found := renewed.get(key)) is not None:
                each.renewed_at = now
                if found.woken_at != each.woken_at:
                    each.wake(found.woken_at)
        return [each for key, each in due.items() if key not in renewed]

    async def adopt(self, held: Collection[UUID]) -> list[ServedWorkspace]:
        """Take workspaces whose worker is dead or stopping, and return to their rows the leads that it had claimed."""
        context = self._context
        async with context.database.driver() as connection, connection.transaction():
            share = await serving.count_share(connection, context.worker_id)
            most = min(share.missing, ADOPTED_AT_ONCE)
            adopted = [*await serving.adopt(connection, context.worker_id, held, most)] if most else []
            # Also workspaces that no worker with a smaller share has taken for a while.
            adopted += await serving.adopt(connection, context.worker_id, held, ADOPTED_AT_ONCE, LEFT_OVER)
            expired = await expire_claims(connection, [each.id for each in adopted]) if adopted else 0
        if expired:
            async with context.database.transaction() as transaction:
                await sweep(transaction)
        if adopted:
            log.info("workspaces.adopted", workspaces=len(adopted), claims=expired)
        now = time.monotonic()
        return [ServedWorkspace(each.key, each.woken_at, renewed_at=now) for each in adopted]

    async def hand_over_excess(self, workspaces: Sequence[ServedWorkspace]) -> Sequence[ServedWorkspace]:
        """Let other workers adopt some workspaces if this one serves more than its share. Returns them."""
        if time.monotonic() - self._balanced_at < REBALANCE_SECONDS or not workspaces:
            return []
        self._balanced_at = time.monotonic()
        async with self._context.database.driver() as connection:
            share = await serving.count_share(connection, self._context.worker_id)
            given = workspaces[: share.excess]
            if given:
                log.info("workspaces.handed_over", workspaces=len(given), **share._asdict())
                await serving.hand_over(connection, [each.key.id for each in given], self._context.worker_id)
        return given

    async def release_workspaces(self, idle: Collection[ServedWorkspace]) -> set[UUID]:
        """End the service of workspaces without due leads. Returns the ids of those that are not served any more."""
        seen = {each.key: each.woken_at for each in idle}
        async with self._context.database.driver() as connection:
            return await serving.release_workspaces(connection, seen, self._context.worker_id)

    async def park(self, served: ServedWorkspace, job_id: UUID | None, seconds: float) -> None:
        """End the service of a workspace that pauses, and wake the push job at the end of the pause."""
        async with self._context.database.transaction() as connection:
            await serving.release_workspaces(connection, {served.key: served.woken_at}, self._context.worker_id)
            if job_id is not None:
                await queue.wake(connection, job_id, delay_seconds=seconds)

    async def leave_to_slices(self, served: ServedWorkspace) -> None:
        """End the service of a workspace without a pace, and wake its push jobs."""
        async with self._context.database.transaction() as connection:
            await serving.release_workspaces(connection, {served.key: served.woken_at}, self._context.worker_id)
            await queue.wake_live(connection, served.key.org_id)

    async def prove_suspects(self, workspace_ids: Collection[UUID]) -> set[UUID]:
        """Build suspects, one after another (see `deliveries.take_over`). Returns the workspaces that had some."""
        found: set[UUID] = set()
        started = time.monotonic()
        while workspace_ids and time.monotonic() - started < PROVING_SECONDS and not self._context.stopping.is_set():
            async with self._context.database.driver() as connection:
                suspect = await claim_suspect(connection, workspace_ids, uuid4(), self._context.config.lease)
            if suspect is None:
                break
            found.add(suspect.workspace_id)
            # If this kills the process, it has lost one more claim. The cause of an unsendable one is recorded.
            try:
                await self._builder.build([suspect])
            except BaseException:
                async with self._context.database.driver() as connection:
                    await release_turns(connection, [suspect.claimed])
                raise
            async with self._context.database.driver() as connection:
                await reset_lost_claims(connection, suspect.claimed)
        return found
