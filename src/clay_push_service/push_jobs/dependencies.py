"""FastAPI dependencies of the push endpoints: the push service of a request, and the event stream of a push job."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Request

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.authenticate import OrgDefault
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import DetectedTables, caller_with, detached_caller_with
from clay_push_service.callers.request_state import Database, RequestId, Settings, Transaction
from clay_push_service.push_jobs.live import event_streams
from clay_push_service.push_jobs.live.feeds import Feeds
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.queries.deliveries import require_job


def push_service_with(
    scope: Scope, *, org_default: OrgDefault = "only"
) -> Callable[..., Coroutine[Any, Any, PushService]]:
    """Returns a dependency: the push service in the transaction of the request, for a caller with `scope`."""

    async def service(
        caller: Annotated[Caller, Depends(caller_with(scope, org_default=org_default))],
        connection: Transaction,
        tables: DetectedTables,
        settings: Settings,
        request_id: RequestId,
    ) -> PushService:
        return PushService(connection, tables, actor_of(caller, request_id), settings)

    return service


READ_DETACHED = detached_caller_with(Scope.READ)
DetachedReader = Annotated[Caller, Depends(READ_DETACHED)]


async def _job_stream(
    request: Request,
    job_id: Annotated[UUID, Path(description="The push job.")],
    caller: DetachedReader,
    database: Database,
    settings: Settings,
) -> AsyncIterator[event_streams.JobStream]:
    """Raises 404 `job_not_found`, and 429 over a limit of event streams."""
    streams: event_streams.EventStreams = request.app.state.event_streams
    feeds: Feeds = request.app.state.feeds
    with streams.opened(caller):
        async with database.transaction() as connection:
            await require_job(connection, caller.org_id, job_id)
        async with feeds.follow(caller.org_id, job_id) as feed:
            yield event_streams.JobStream(
                feed, lambda: READ_DETACHED.admit(request), caller, settings.event_stream_recheck_seconds
            )


PushAccess = Annotated[PushService, Depends(push_service_with(Scope.PUSH))]
ReadAccess = Annotated[PushService, Depends(push_service_with(Scope.READ))]
JobStream = Annotated[event_streams.JobStream, Depends(_job_stream)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A key of your choice, per organization, for 24 hours. A repeated request gets the first response.",
        min_length=1,
        max_length=255,
        examples=["0192f0c1-push-42"],
    ),
]
