"""Builds the payloads of claimed turns with one query, and finds the webhook for each lead."""

import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID, uuid4

from clay_push_service import logs
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.webhook_client import Target
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, VALUE_ERRORS, is_about_the_data, on_fresh_plan
from clay_push_service.deliveries.claim import Claimed, claim
from clay_push_service.deliveries.claim_turns import ClaimedTurn
from clay_push_service.deliveries.end_queued import end_queued_of_version
from clay_push_service.destinations.slots import WorkspaceKey
from clay_push_service.destinations.state import close_version, read_version
from clay_push_service.host.read_lead_rows import RequestedLead
from clay_push_service.sending.attempt import record_unsendable
from clay_push_service.sending.build_payloads import Ready, Unsendable, build_payloads, build_payloads_of_projects
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import OpenJob, unseal_target
from clay_push_service.sending.served import PacedLead, ServedJob

MOST_TARGETS = 2000
"""Webhooks that are kept unsealed."""

log = logs.get(__name__)


class BuiltTurn(NamedTuple):
    """A lead that can be sent, and the claim that it belongs to."""

    turn: ClaimedTurn
    lead: PacedLead


class TurnBuilder:
    """One per pacer. Keeps the unsealed webhooks of versions: a version never gets another webhook."""

    def __init__(self, context: SendingContext) -> None:
        self._context = context
        self._targets: dict[UUID, Target] = {}

    def add_target(self, version_id: UUID, target: Target) -> None:
        if len(self._targets) >= MOST_TARGETS:
            del self._targets[next(iter(self._targets))]
        self._targets[version_id] = target

    async def claim_probe(self, job: OpenJob) -> list[ClaimedTurn]:
        """Claim one lead of this push job outside its turn; a suspect, if it has no other."""
        context = self._context
        claims: list[Claimed] = []
        for suspects in (False, True):
            async with context.database.driver() as connection:
                claims = await claim(connection, job.id, uuid4(), 1, context.config.lease, suspects=suspects)
            if claims:
                break
        return [
            ClaimedTurn(
                job.workspace.id, job.org_id, job.project_id, job.destination_id, job.version_id, job.id,
                context.clock.now(), each, job.mapping_version_id,
            )
            for each in claims
        ]  # fmt: skip

    async def build(
        self, turns: Sequence[ClaimedTurn], *, probe: bool = False
    ) -> tuple[list[BuiltTurn], list[ClaimedTurn]]:
        """Return what can be sent, and the claims to release. The cause of every other delivery is recorded."""
        opened: list[ClaimedTurn] = []
        released: list[ClaimedTurn] = []
        for turn in turns:
            is_open = turn.version_id in self._targets or await self._open(turn.org_id, turn.version_id)
            (opened if is_open else released).append(turn)
        if not opened:
            return [], released
        context, now = self._context, time.monotonic()
        leads = [
            (
                RequestedLead(turn.org_id, turn.project_id, turn.claimed.lead_id), turn.claimed,
                turn.mapping_version_id,
            )
            for turn in opened
        ]  # fmt: skip
        try:
            made = await build_payloads_of_projects(
                context.host, context.database, leads, context.clock, context.mappings
            )
        except (*UNAVAILABLE, *VALUE_ERRORS) as error:
            if not is_about_the_data(error):
                raise
            return await self._build_each_project(opened, released, now, probe=probe)
        return self._sort(opened, made, now, probe=probe), released

    async def _build_each_project(
        self, turns: Sequence[ClaimedTurn], released: list[ClaimedTurn], now: float, *, probe: bool
    ) -> tuple[list[BuiltTurn], list[ClaimedTurn]]:
        """One project's data must not stop the other workspaces."""
        context = self._context
        groups: defaultdict[tuple[UUID, UUID], list[ClaimedTurn]] = defaultdict(list)
        for turn in turns:
            groups[turn.org_id, turn.project_id].append(turn)
        built: list[BuiltTurn] = []
        for (org_id, project_id), group in groups.items():
            claims = [(turn.claimed, turn.mapping_version_id) for turn in group]
            try:
                made = await build_payloads(
                    context.host, context.database, org_id, project_id, claims, context.clock, context.mappings
                )
            except Exception as error:
                log.exception("leads.not_read", project_id=str(project_id), **failure(error))
                released += group
            else:
                built += self._sort(group, made, now, probe=probe)
        return built, released

    def _sort(
        self, turns: Sequence[ClaimedTurn], made: Sequence[Ready | Unsendable], now: float, *, probe: bool
    ) -> list[BuiltTurn]:
        """Record what cannot be sent; return the rest."""
        built: list[BuiltTurn] = []
        for turn, each in zip(turns, made, strict=True):
            if isinstance(each, Ready):
                workspace = WorkspaceKey(turn.org_id, turn.workspace_id)
                job = ServedJob(turn.job_id, turn.version_id, workspace, self._targets[turn.version_id], probe)
                built.append(BuiltTurn(turn, PacedLead(job, each, now)))
            else:
                record_unsendable(self._context, turn.job_id, turn.version_id, each)
        return built

    async def _open(self, org_id: UUID, version_id: UUID) -> bool:
        """Unseal the webhook of an adopted push job. One that cannot be used closes its destination and ends its leads."""
        target = await on_fresh_plan(partial(self._read, org_id, version_id))
        if isinstance(target, Target):
            self.add_target(version_id, target)
        elif target is not None:
            # A transaction of its own, to keep the lock order: push jobs are never locked after a version.
            async with self._context.database.transaction() as connection:
                await end_queued_of_version(connection, version_id, target)
        return isinstance(target, Target)

    async def _read(self, org_id: UUID, version_id: UUID) -> Target | Cause | None:
        async with self._context.database.transaction() as connection:
            version = await read_version(connection, org_id, version_id)
            if version is None or version.sealed_url is None:
                return None
            found = unseal_target(version, self._context.box, self._context.config.rules.policy)
            if isinstance(found, Cause):
                await close_version(connection, version_id, found)
            return found
