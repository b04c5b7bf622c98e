"""FastAPI dependencies of enrichment jobs: the service of a request, and the event stream of a job."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.dependencies import DetectedTables, Enricher
from clay_push_service.callers.request_state import Database, RequestId, Settings, Transaction
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.queries import read_job, require_job
from clay_push_service.enrichment.jobs.service import EnrichmentService
from clay_push_service.push_jobs.dependencies import READ_DETACHED, DetachedReader
from clay_push_service.push_jobs.live import event_streams
from clay_push_service.push_jobs.live.feeds import Feeds

JobId = Annotated[UUID, Path(description="The enrichment job.")]


async def _service(
    request: Request,
    caller: Enricher,
    connection: Transaction,
    tables: DetectedTables,
    settings: Settings,
    request_id: RequestId,
) -> EnrichmentService:
    box: SecretBox | None = request.app.state.box
    return EnrichmentService(connection, tables, settings, box, actor_of(caller, request_id))


async def _job_stream(
    request: Request, job_id: JobId, caller: DetachedReader, database: Database, settings: Settings
) -> AsyncIterator[event_streams.JobStream]:
    """Raises 404 `enrichment_job_not_found`, and 429 over a limit of event streams."""
    streams: event_streams.EventStreams = request.app.state.event_streams
    feeds: Feeds = request.app.state.feeds
    with streams.opened(caller):
        async with database.transaction() as connection:
            await require_job(connection, caller.org_id, job_id)
        async with feeds.follow(caller.org_id, job_id, read_job) as feed:
            yield event_streams.JobStream(
                feed, lambda: READ_DETACHED.admit(request), caller, settings.event_stream_recheck_seconds
            )


EnrichAccess = Annotated[EnrichmentService, Depends(_service)]
EnrichmentStream = Annotated[event_streams.JobStream, Depends(_job_stream)]
