"""What push endpoints ask for in their signatures: the desk a request is dealt with, and the event stream of a job."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Request

from clay_push_service.callers.authenticate import OrgDefault
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import Host, caller_with, detached_caller_with
from clay_push_service.dependencies import Database, RequestId, Settings, Transaction
from clay_push_service.push_jobs import event_streams
from clay_push_service.push_jobs.accept import Asker
from clay_push_service.push_jobs.ask import Desk
from clay_push_service.push_jobs.feeds import Feeds
from clay_push_service.push_jobs.read_deliveries import require_job
from clay_push_service.push_jobs.settings_desk import SettingsDesk


def asker_of(caller: Caller, request_id: str | None) -> Asker:
    return Asker(caller.org_id, caller.actor, caller.user_id, request_id)


def desk_with(scope: Scope, *, org_default: OrgDefault = "only") -> Callable[..., Coroutine[Any, Any, Desk]]:
    """A dependency: the desk in the request's transaction, for a caller who has `scope`."""

    async def desk(
        caller: Annotated[Caller, Depends(caller_with(scope, org_default=org_default))],
        connection: Transaction,
        host: Host,
        settings: Settings,
        request_id: RequestId,
    ) -> Desk:
        return await Desk.open(connection, await host.tables(connection), asker_of(caller, request_id), settings)

    return desk


def settings_desk_with(
    scope: Scope, *, org_default: OrgDefault = "only"
) -> Callable[..., Coroutine[Any, Any, SettingsDesk]]:
    """A dependency: the desk that holds no transaction."""

    async def desk(
        caller: Annotated[Caller, Depends(detached_caller_with(scope, org_default=org_default))],
        database: Database,
        host: Host,
        settings: Settings,
        request_id: RequestId,
    ) -> SettingsDesk:
        return SettingsDesk(database, host, asker_of(caller, request_id), settings)

    return desk


READ_DETACHED = detached_caller_with(Scope.READ)
DetachedReader = Annotated[Caller, Depends(READ_DETACHED)]


async def _job_stream(
    request: Request,
    job_id: Annotated[UUID, Path(description="The push job.")],
    caller: DetachedReader,
    database: Database,
    settings: Settings,
) -> AsyncIterator[event_streams.JobStream]:
    """Raises 404 `job_not_found`, and 429 over the bounds."""
    streams: event_streams.EventStreams = request.app.state.event_streams
    feeds: Feeds = request.app.state.feeds
    with streams.opened(caller):
        async with database.transaction() as connection:
            await require_job(connection, caller.org_id, job_id)
        async with feeds.follow(caller.org_id, job_id) as feed:
            yield event_streams.JobStream(
                feed, lambda: READ_DETACHED.admit(request), caller, settings.event_stream_recheck_seconds
            )


PushDesk = Annotated[Desk, Depends(desk_with(Scope.PUSH))]
ReadDesk = Annotated[Desk, Depends(desk_with(Scope.READ))]
ConfigDesk = Annotated[SettingsDesk, Depends(settings_desk_with(Scope.CONFIG))]
JobStream = Annotated[event_streams.JobStream, Depends(_job_stream)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Of your making, per organization, for 24 hours: the same request again gets the first answer.",
        min_length=1,
        max_length=255,
        examples=["0192f0c1-push-42"],
    ),
]
