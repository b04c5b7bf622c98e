"""What push endpoints ask for in their signatures: the desk a request is dealt with, and the watch of the process."""

from typing import Annotated

from fastapi import Depends, Header, Request

from clay_push_service.callers.caller import Caller
from clay_push_service.callers.dependencies import Host, Pusher, Reader
from clay_push_service.dependencies import RequestId, Settings, Transaction
from clay_push_service.push_jobs.accept import Asker
from clay_push_service.push_jobs.ask import Desk
from clay_push_service.push_jobs.watch import Watch as WatchOfProcess


def asker_of(caller: Caller, request_id: str | None) -> Asker:
    return Asker(caller.org_id, caller.actor, caller.user_id, request_id)


async def _push_desk(
    caller: Pusher, connection: Transaction, host: Host, settings: Settings, request_id: RequestId
) -> Desk:
    return await Desk.open(connection, await host.tables(connection), asker_of(caller, request_id), settings)


async def _read_desk(
    caller: Reader, connection: Transaction, host: Host, settings: Settings, request_id: RequestId
) -> Desk:
    return await Desk.open(connection, await host.tables(connection), asker_of(caller, request_id), settings)


def _watch(request: Request) -> WatchOfProcess:
    watch: WatchOfProcess = request.app.state.watch
    return watch


PushDesk = Annotated[Desk, Depends(_push_desk)]
ReadDesk = Annotated[Desk, Depends(_read_desk)]
Watch = Annotated[WatchOfProcess, Depends(_watch)]
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
