"""The pacer: serves the paced workspaces that this process has leased, with statements for all of them at once.

It claims leads ahead, reserves a slot for each, and has them marked and sent (`paced_sends`). What it holds in memory may be
lost at any time: claims have a lease and a token, slots are in the workspace's row. See decision 11.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

from clay_push_service import logs, metrics
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.deliveries.claim_turns import ClaimedTurn, WantedTurns, claim_turns
from clay_push_service.destinations import serving
from clay_push_service.destinations.slots import reserve_served
from clay_push_service.sending.build_turns import BuiltTurn, TurnBuilder
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.leases import Leases
from clay_push_service.sending.look_ahead import LookAhead
from clay_push_service.sending.open_job import OpenJob
from clay_push_service.sending.paced_sends import PacedSends
from clay_push_service.sending.served import CLAIM_AHEAD_SECONDS, PacedLead, ServedWorkspace, most_urgent
from clay_push_service.sending.sleep import sleep_until

TICK_SECONDS = 0.1
MARK_TICK_SECONDS = 0.05
RENEW_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 2.0
"""A workspace with a longer pause is parked: one of its push jobs is woken at the end of the pause."""
STEP_SECONDS = 10.0
"""A step takes milliseconds. A connection that died silently must not stop all workspaces until its statement's limit (35 s)."""

log = logs.get(__name__)


class Pacer:
    """One per worker process: `run` until the context stops, then `stop`."""

    def __init__(self, context: SendingContext) -> None:
        self._context = context
        self._served: dict[UUID, ServedWorkspace] = {}
        self._builder = TurnBuilder(context)
        self._leases = Leases(context, self._builder)
        self.sends = PacedSends(context)
        self._ahead = LookAhead()
        # Well within the lease, also where that is short.
        self._claim_ahead_seconds = min(CLAIM_AHEAD_SECONDS, context.config.lease.total_seconds() / 4)
        self._running: set[str] = set()
        metrics.WORKSPACES_SERVED.set_function(lambda: len(self._served))

    @property
    def is_busy(self) -> bool:
        """Whether a step runs or a marked lead waits for its slot, also after the context stopped."""
        return bool(self._running) or self.sends.unsent > 0

    async def run(self) -> None:
        ticks = {
            self._mark: MARK_TICK_SECONDS,
            self._reserve: TICK_SECONDS,
            self._claim: TICK_SECONDS,
            self._renew_leases: RENEW_SECONDS,
        }
        await asyncio.gather(*(self._repeat(seconds, step) for step, seconds in ticks.items()))

    async def serve(self, job: OpenJob, taken: serving.ServingResult) -> None:
        """A wake-up of this push job: send leads of its workspace from the next tick on, unless another worker serves it."""
        if not taken.is_served:
            return
        self._builder.add_target(job.version_id, job.target)
        served = self._served.get(job.workspace.id)
        if served is None:
            served = ServedWorkspace(job.workspace, taken.woken_at, renewed_at=time.monotonic())
            self._served[job.workspace.id] = served
        else:
            served.wake(taken.woken_at)
        if job.probe and not await self._add_probe(served, job):
            await self._context.wake_next_slice(job, 0.0)

    async def _add_probe(self, served: ServedWorkspace, job: OpenJob) -> bool:
        """Give the next slot to one lead of a push job whose destination waits during an outage. Returns False without a lead."""
        claims = await self._builder.claim_probe(job)
        served.probes.extend(each.lead for each in await self._build(claims, probe=True))
        return bool(claims)

    async def stop(self) -> None:
        """Release what is claimed and let other workers adopt the workspaces. What is being sent is not affected."""
        served, self._served = self._served, {}
        for each in served.values():
            self.sends.queue_release(lead.ready.claimed for lead in each.drop())
        if served:
            async with self._context.database.driver() as connection:
                await serving.hand_over(connection, list(served), self._context.worker_id)
        await self.sends.release_queued()

    async def _repeat(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        name, due = step.__name__.removeprefix("_"), time.monotonic()
        while not self._context.stopping.is_set():
            self._running.add(name)
            try:
                async with asyncio.timeout(STEP_SECONDS):
                    await step()
            except UNAVAILABLE as error:
                log.warning("pacer.step_failed", step=name, **failure(error))
            except Exception as error:  # the pacer serves all workspaces, so it continues
                log.exception("pacer.step_failed", step=name, **failure(error))
            finally:
                self._running.discard(name)
            due = max(due + seconds, time.monotonic())
            await sleep_until(due)

    async def _mark(self) -> None:
        await self.sends.release_queued()
        started = time.monotonic()
        await self.sends.mark(self._served.values(), self._ahead.mark_seconds)
        self._ahead.marking.add(time.monotonic() - started)

    async def _reserve(self) -> None:
        """Reserve slots for the leads that are ready."""
        now = time.monotonic()
        wanted = {each.key: slots for each in self._served.values() if (slots := each.wanted_slots(now))}
        if not wanted:
            return
        async with self._context.database.driver() as connection, connection.transaction():
            reserved = await reserve_served(connection, wanted, self._context.worker_id, serving.LEASE)
            received = time.monotonic()
        self._ahead.reserving.add(time.monotonic() - now)
        ahead_seconds = self._ahead.reserve_seconds
        for each in list(reserved.values())[:1]:
            self._context.clock.learn(each.now, now, received)
        for key in wanted:
            served, found = self._served.get(key.id), reserved.get(key.id)
            if served is None or found is None:
                continue  # its row is locked now, or another worker serves it, which `_renew_leases` detects
            if found.woken_at != served.woken_at:
                served.wake(found.woken_at)
            wait_seconds = found.reservation.wait.total_seconds()
            if found.reservation.unpaced:
                self._drop(served)
                await self.sends.release_queued()
                await self._leases.leave_to_slices(served)
            elif found.reservation.slots:
                served.add_slots(
                    found.reservation, self._context.clock.at(found.reservation.next_slot_at), ahead_seconds
                )
                served.renewed_at = received
            elif wait_seconds > LONGEST_WAIT_SECONDS:
                await self._park(served, wait_seconds)
            else:
                served.reserve_at = received + wait_seconds

    async def _park(self, served: ServedWorkspace, seconds: float) -> None:
        """Stop serving the workspace; one of its push jobs is woken in `seconds`."""
        leads = self._drop(served)
        await self._leases.park(served, leads[0].job.id if leads else None, seconds)

    def _drop(self, served: ServedWorkspace) -> list[PacedLead]:
        self._served.pop(served.key.id, None)
        leads = served.drop()
        self.sends.queue_release(lead.ready.claimed for lead in leads)
        return leads

    async def _claim(self) -> None:
        """Claim and build leads for all workspaces that need more; stop serving workspaces that have none."""
        chosen = most_urgent(self._served.values(), time.monotonic(), self._claim_ahead_seconds)
        if not chosen:
            return
        for each, _ in chosen:
            each.is_claiming, each.is_woken = True, False
        releases = self.sends.releases
        try:
            turns = [WantedTurns(each.key.org_id, each.key.id, leads) for each, leads in chosen]
            async with self._context.database.driver() as connection:
                claims = await claim_turns(connection, turns, uuid4(), self._context.config.lease)
            await self._add(claims)
        except BaseException:
            for each, _ in chosen:
                each.is_woken = True
            raise
        finally:
            for each, _ in chosen:
                each.is_claiming = False
        found = Counter(claimed.workspace_id for claimed in claims)
        for each, leads in chosen:
            each.is_exhausted = found[each.key.id] < leads
        if not self.sends.has_unreleased and self.sends.releases == releases:
            await self._release_idle([each for each, _ in chosen if not found[each.key.id] and each.is_idle])

    async def _release_idle(self, idle: Sequence[ServedWorkspace]) -> None:
        """End the service of workspaces without due leads, unless one was woken meanwhile or has suspects."""
        if not idle:
            return
        proved = await self._leases.prove_suspects([each.key.id for each in idle])
        for each in idle:
            each.is_woken = each.is_woken or each.key.id in proved
        for workspace_id in await self._leases.release_workspaces([each for each in idle if each.is_idle]):
            served = self._served.pop(workspace_id, None)
            if served is None:
                continue
            if served.is_idle:
                served.drop()
            else:
                self._served[workspace_id] = served
                served.renewed_at = 0.0

    async def _renew_leases(self) -> None:
        """Renew leases, adopt those of dead workers, and build suspects one by one."""
        for lost in await self._leases.renew(self._served.values()):
            log.info("workspace.lost", workspace_id=str(lost.key.id))
            for lead in self._drop(lost)[:1]:  # one wake-up: its worker claims for all push jobs of the workspace
                self.sends.wake_when_released(lead.job.id)
        for given in await self._leases.hand_over_excess(list(self._served.values())):
            self._drop(given)
        now = time.monotonic()
        for served in list(self._served.values()):
            if (pause := served.paused_until - now) > LONGEST_WAIT_SECONDS:
                await self._park(served, pause)
            oldest = now - self._context.config.lease.total_seconds() / 2
            self.sends.queue_release(lead.ready.claimed for lead in served.remove_claimed_before(oldest))
        for adopted in await self._leases.adopt(self._served):
            self._served.setdefault(adopted.key.id, adopted)
        for workspace_id in await self._leases.prove_suspects(self._served):
            if (proved := self._served.get(workspace_id)) is not None:
                proved.is_woken = True

    async def _add(self, claims: Sequence[ClaimedTurn]) -> None:
        built = await self._build(claims)
        for turn, lead in built:
            served = self._served.get(turn.workspace_id)
            if served is None or turn.version_id in served.halted:
                self.sends.queue_release([turn.claimed])
                if served is None:
                    self.sends.wake_when_released(turn.job_id)
            else:
                since = self._context.clock.at(turn.waiting_since)
                served.leads.add(turn.destination_id, turn.job_id, since, [lead])

    async def _build(self, claims: Sequence[ClaimedTurn], *, probe: bool = False) -> Sequence[BuiltTurn]:
        """Give back the claims of leads that cannot be built now."""
        try:
            built, released = await self._builder.build(claims, probe=probe)
        except BaseException:
            self.sends.queue_release(turn.claimed for turn in claims)
            raise
        self.sends.queue_release(turn.claimed for turn in released)
        return built
