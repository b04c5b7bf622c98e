"""A request to push, from the parsed body to the answer: gate, destination, choice, then a preview or a push; once a key."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import EXPLANATIONS
from clay_push_service.deliveries.enqueue import Again
from clay_push_service.destination_settings.host_sync import sync_host_settings
from clay_push_service.destinations.read import NOT_CONFIGURED, destination_view
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.gate import gate, require_available
from clay_push_service.host.billing import is_enterprise
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import (
    AcceptedJob,
    Selection,
    accept,
    choose_filtered,
    choose_selected,
    require_destination,
)
from clay_push_service.push_jobs.idempotency import StoredResponse, find_response, store_response
from clay_push_service.push_jobs.preview import preview
from clay_push_service.push_jobs.queries.status import StatusView, read_status
from clay_push_service.push_jobs.schemas import Preview, PreviewBody, PushAnswer, PushBody, PushFilteredBody, QueuedJob
from clay_push_service.push_jobs.summary import nothing_queued
from clay_push_service.settings import Settings
from clay_push_service.states import PushMode

MESSAGE = "Clay push job queued"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class PushService:
    """Everything a request to push is dealt with: one transaction, the host's tables, who asks, the settings."""

    connection: AsyncConnection
    tables: HostTables
    actor: Actor
    settings: Settings
    host_problem: str | None = None
    """What NexusLeads' settings page holds that is not in use, in one sentence."""

    @classmethod
    async def open(
        cls, connection: AsyncConnection, tables: HostTables, actor: Actor, settings: Settings
    ) -> "PushService":
        """With the destination as it is by now, also where NexusLeads' own settings page has changed it."""
        host_problem = await sync_host_settings(connection, tables, actor.org_id, settings)
        return cls(connection, tables, actor, settings, host_problem)

    async def require_available(self) -> None:
        await require_available(
            self.connection,
            self.tables,
            self.actor.org_id,
            billing_enabled=self.settings.billing_enabled,
            upgrade_url=self.settings.upgrade_url,
        )

    async def status(self) -> StatusView:
        billing_enabled = self.settings.billing_enabled
        enterprise = billing_enabled and await is_enterprise(self.connection, self.tables, self.actor.org_id)
        answer = gate(billing_enabled=billing_enabled, is_enterprise=enterprise)
        return await read_status(
            self.connection, self.actor.org_id, answer, self.settings.upgrade_url, self.host_problem
        )

    async def choose(self, body: PushBody | PushFilteredBody | PreviewBody) -> Selection:
        """The leads a body names. Raises 404 and 422 with what is wrong."""
        again = Again.all() if body.push_again else Again()
        org_id = self.actor.org_id
        if isinstance(body, PushFilteredBody):
            if body.push_mode == "all" and not body.filters.is_empty:
                raise InvalidError(
                    "push_mode `all` pushes the whole project: leave the filters away, or use `filtered`.",
                    errors=[{"field": "filters", "message": "must be empty with push_mode `all`"}],
                )
            return await choose_filtered(
                self.connection, self.tables, org_id, body.project_id, body.filters.criteria(),
                PushMode(body.push_mode), again, body.filters.model_dump_json(exclude_defaults=True),
            )  # fmt: skip
        if isinstance(body, PushBody):
            return await choose_selected(self.connection, self.tables, org_id, body.lead_ids, body.project_id, again)
        return await self._choose_preview(body, again)

    async def _choose_preview(self, body: PreviewBody, again: Again) -> Selection:
        if body.lead_ids is not None and body.filters.is_empty:
            return await choose_selected(
                self.connection, self.tables, self.actor.org_id, body.lead_ids, body.project_id, again
            )
        if body.lead_ids is not None:
            raise InvalidError(
                "Name leads or filters, not both.", errors=[{"field": "filters", "message": "not with lead_ids"}]
            )
        if body.project_id is None:
            raise InvalidError(
                "Name the leads, or a project.", errors=[{"field": "lead_ids", "message": "lead_ids or project_id"}]
            )
        return await choose_filtered(
            self.connection, self.tables, self.actor.org_id, body.project_id, body.filters.criteria(),
            PushMode.FILTERED, again,
        )  # fmt: skip

    async def preview(self, body: PushBody | PushFilteredBody | PreviewBody) -> Preview:
        await self.require_available()
        view = await destination_view(self.connection, self.actor.org_id)
        if view is None or view.webhook is None:
            raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
        return await preview(self.connection, self.tables, self.actor.org_id, await self.choose(body), view)

    async def push(self, body: PushBody | PushFilteredBody) -> list[AcceptedJob]:
        await self.require_available()
        destination = await require_destination(self.connection, self.actor.org_id)
        jobs = await accept(self.connection, self.tables, self.actor, destination, await self.choose(body))
        for job in jobs:
            await self.audit_push(job, "push_job.accepted")
        return jobs

    async def audit_push(self, job: AcceptedJob, action: str) -> None:
        details: dict[str, Detail] = {
            "job_id": str(job.job_id), "project_id": str(job.project_id), "leads": job.lead_count,
            "skipped": job.skipped_count,
        }  # fmt: skip
        await audit(self.connection, self.actor.org_id, self.actor.name, action, details)
        log.info(action, job_id=str(job.job_id), leads=job.lead_count, skipped=job.skipped_count)

    async def once(
        self, key: str | None, request_hash: bytes, push: Callable[[], Awaitable[list[AcceptedJob]]]
    ) -> StoredResponse:
        """The answer to a push; with an Idempotency-Key the first answer to it."""
        org_id = self.actor.org_id
        if key is not None:
            kept = await find_response(self.connection, org_id, key, request_hash)
            if kept is not None:
                return kept
        kept = response_of(await push())
        if key is not None:
            await store_response(self.connection, org_id, key, request_hash, kept)
        return kept


def message_of(jobs: Sequence[AcceptedJob]) -> str:
    """What a request to push has done; where it queued nothing, why."""
    if any(job.lead_count > job.skipped_count for job in jobs):
        return MESSAGE
    largest = max(jobs, key=lambda job: job.skipped_count)
    cause = None if largest.main_cause is None else EXPLANATIONS[largest.main_cause].message
    return nothing_queued(largest.push_mode, sum(job.lead_count for job in jobs), cause)


def response_of(jobs: Sequence[AcceptedJob]) -> StoredResponse:
    answer = PushAnswer(
        job_id=jobs[0].job_id,
        lead_count=sum(job.lead_count for job in jobs),
        skipped_count=sum(job.skipped_count for job in jobs),
        message=message_of(jobs),
        jobs=[
            QueuedJob(
                job_id=job.job_id, project_id=job.project_id, lead_count=job.lead_count, skipped_count=job.skipped_count
            )
            for job in jobs
        ],
    )
    return StoredResponse(202, answer.model_dump(mode="json"), f"/api/clay/jobs/{jobs[0].job_id}")
