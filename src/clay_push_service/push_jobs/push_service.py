"""The use cases of a push request: push, retry, preview and integration status, in the transaction of the caller."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import EXPLANATIONS
from clay_push_service.destination_settings.host_problem import WEBHOOK_NOT_APPLIED
from clay_push_service.destination_settings.host_sync import read_decision, read_host_problem, sync_host_settings
from clay_push_service.destinations.read import NOT_CONFIGURED
from clay_push_service.errors import ConflictError
from clay_push_service.gate import read_gate, require_available
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob, accept
from clay_push_service.push_jobs.idempotency import StoredResponse, find_response, fingerprint, store_response
from clay_push_service.push_jobs.missing_results import push_missing_again
from clay_push_service.push_jobs.preview import preview
from clay_push_service.push_jobs.queries.status import StatusView, read_status
from clay_push_service.push_jobs.retry import retry
from clay_push_service.push_jobs.schemas import (
    EmptyBody,
    Preview,
    PreviewBody,
    PushAnswer,
    PushBody,
    PushFilteredBody,
    QueuedJob,
    RetryBody,
)
from clay_push_service.push_jobs.selection import select_leads
from clay_push_service.push_jobs.summary import QUEUED, nothing_queued
from clay_push_service.push_jobs.targets.choose import choose_targets, find_destination_view
from clay_push_service.push_jobs.targets.preview_routed import preview_routed
from clay_push_service.routing.routes import read_routes
from clay_push_service.settings import Settings

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class PushService:
    """One request: its transaction, the host's tables, its actor and the settings.

    A push or retry first synchronises the Clay settings of NexusLeads' settings page; preview and status write nothing.
    """

    connection: AsyncConnection
    tables: HostTables
    actor: Actor
    settings: Settings

    async def push(self, body: PushBody | PushFilteredBody) -> list[AcceptedJob]:
        """Queue one push job for each project and destination of the leads."""
        await self._prepare_write()
        jobs: list[AcceptedJob] = []
        targets = await choose_targets(self.connection, self.tables, self.actor.org_id, body)
        for target in targets:
            selection = target.selection.besides(job.job_id for job in jobs)
            jobs += await accept(self.connection, self.tables, self.actor, target.destination, selection)
        if len(targets) > 1:
            jobs.sort(key=lambda job: -job.to_send)
        for job in jobs:
            _log(job, "push_job.accepted")
        return jobs

    async def push_once(self, idempotency_key: str | None, body: PushBody | PushFilteredBody) -> StoredResponse:
        """`push`, or the stored response of the first request with this Idempotency-Key."""
        name = "push-filtered" if isinstance(body, PushFilteredBody) else "push"
        return await self._once(idempotency_key, name, body, partial(self.push, body))

    async def retry(self, job_id: UUID, body: RetryBody) -> list[AcceptedJob]:
        """Queue what the push job did not send as a new push job."""
        await self._prepare_write()
        job = await retry(self.connection, self.tables, self.actor, job_id, body)
        _log(job, "push_job.retried")
        return [job]

    async def retry_once(self, idempotency_key: str | None, job_id: UUID, body: RetryBody) -> StoredResponse:
        """`retry`, or the stored response of the first request with this Idempotency-Key."""
        return await self._once(idempotency_key, f"retry/{job_id}", body, partial(self.retry, job_id, body))

    async def push_missing_once(
        self, idempotency_key: str | None, destination_id: UUID | None = None
    ) -> StoredResponse:
        """Queue the leads whose result is missing, or return the stored response of the first request with this Idempotency-Key."""
        name = "missing-results" if destination_id is None else f"missing-results/{destination_id}"
        queue_jobs = partial(self._push_missing, destination_id)
        return await self._once(idempotency_key, name, EmptyBody(), queue_jobs)

    async def _push_missing(self, destination_id: UUID | None) -> list[AcceptedJob]:
        await self._prepare_write()
        jobs = await push_missing_again(self.connection, self.tables, self.actor, destination_id)
        for job in jobs:
            _log(job, "push_job.accepted")
        return jobs

    async def preview(self, body: PushBody | PushFilteredBody | PreviewBody) -> Preview:
        await self._require_available()
        if body.destination_id is None:
            routes = await read_routes(self.connection, self.actor.org_id)
            if not routes.is_empty:
                selection = await select_leads(self.connection, self.tables, self.actor.org_id, body)
                return await preview_routed(self.connection, self.tables, self.actor.org_id, selection, routes)
        view = await find_destination_view(self.connection, self.actor.org_id, body.destination_id)
        if view is None or view.webhook is None:
            why = NOT_CONFIGURED if body.destination_id else await self._why_not_configured()
            raise ConflictError(why, code="clay_not_configured")
        selection = await select_leads(self.connection, self.tables, self.actor.org_id, body)
        return await preview(self.connection, self.tables, self.actor.org_id, selection, view)

    async def read_status(self) -> StatusView:
        org_id, billing_enabled = self.actor.org_id, self.settings.billing_enabled
        gate = await read_gate(self.connection, self.tables, org_id, billing_enabled=billing_enabled)
        problem = await read_host_problem(self.connection, self.tables, org_id, self.settings)
        return await read_status(self.connection, org_id, gate, self.settings.upgrade_url, problem)

    async def _prepare_write(self) -> None:
        await self._require_available()
        await sync_host_settings(self.connection, self.tables, self.actor.org_id, self.settings)

    async def _require_available(self) -> None:
        await require_available(
            self.connection,
            self.tables,
            self.actor.org_id,
            billing_enabled=self.settings.billing_enabled,
            upgrade_url=self.settings.upgrade_url,
        )

    async def _why_not_configured(self) -> str:
        decision = await read_decision(self.connection, self.tables, self.actor.org_id, self.settings)
        return WEBHOOK_NOT_APPLIED if decision is not None and decision.saves_webhook else NOT_CONFIGURED

    async def _once(
        self, key: str | None, name: str, body: BaseModel, queue_jobs: Callable[[], Awaitable[list[AcceptedJob]]]
    ) -> StoredResponse:
        """`name`: the use case. With its body it makes a request the same as an earlier one."""
        if key is None:
            return queued_response(await queue_jobs())
        request_hash = fingerprint(name, body)
        stored = await find_response(self.connection, self.actor.org_id, key, request_hash)
        if stored is None:
            stored = queued_response(await queue_jobs())
            await store_response(self.connection, self.actor.org_id, key, request_hash, stored)
        return stored


def _log(job: AcceptedJob, action: str) -> None:
    log.info(action, job_id=str(job.job_id), leads=job.lead_count, skipped=job.skipped_count)


def queued_response(jobs: Sequence[AcceptedJob]) -> StoredResponse:
    """The 202 response for new push jobs."""
    answer = PushAnswer(
        job_id=jobs[0].job_id,
        lead_count=sum(job.lead_count for job in jobs),
        skipped_count=sum(job.skipped_count for job in jobs),
        message=push_message(jobs),
        jobs=[
            QueuedJob(
                job_id=job.job_id,
                destination=job.destination.ref,
                project_id=job.project_id,
                lead_count=job.lead_count,
                skipped_count=job.skipped_count,
            )
            for job in jobs
        ],
    )
    return StoredResponse(202, answer.model_dump(mode="json"), f"/api/clay/jobs/{jobs[0].job_id}")


def push_message(jobs: Sequence[AcceptedJob]) -> str:
    """The result of a request to push; if it queued nothing, the reason."""
    if any(job.to_send for job in jobs):
        return QUEUED
    largest = max(jobs, key=lambda job: job.skipped_count)
    cause = None if largest.main_cause is None else EXPLANATIONS[largest.main_cause].message
    return nothing_queued(largest.push_mode, sum(job.lead_count for job in jobs), cause)
