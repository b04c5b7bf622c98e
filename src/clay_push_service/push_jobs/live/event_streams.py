"""Limits the event streams of push jobs, and ends a stream when its caller loses the right to read the job."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from clay_push_service import logs
from clay_push_service.callers.caller import Caller
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.errors import ClayPushError, TooManyRequestsError
from clay_push_service.push_jobs.live.feeds import Feed
from clay_push_service.settings import Settings

RETRY_AFTER = {"Retry-After": "5"}
RECHECK_RETRY_SECONDS = 1.0
"""The interval of checks of the rights while the database is unavailable; the stream sends nothing meanwhile."""

log = logs.get(__name__)


class EventStreams:
    """Counts the open streams of one process, by caller and in total."""

    def __init__(self, per_caller: int, in_total: int) -> None:
        self._per_caller = per_caller
        self._in_total = in_total
        self._open: Counter[str] = Counter()

    @classmethod
    def of(cls, settings: Settings) -> "EventStreams":
        return cls(settings.event_streams_per_caller, settings.event_streams)

    def has_room(self, caller: Caller, most: int) -> bool:
        """Whether the caller has fewer than `most` streams, and the process has room for another."""
        return self._open[_key(caller)] < most and self._open.total() < self._in_total

    @contextmanager
    def opened(self, caller: Caller) -> Iterator[None]:
        """Counts one stream while the block runs. Raises 429 over a limit."""
        caller_key = _key(caller)
        if self._open[caller_key] >= self._per_caller:
            raise TooManyRequestsError(
                f"You have {self._per_caller} open event streams, which is the limit. Close one, or poll the jobs instead.",
                headers=RETRY_AFTER,
            )
        if self._open.total() >= self._in_total:
            raise TooManyRequestsError(
                "Too many event streams are open on this server. Read the job every few seconds instead.",
                headers=RETRY_AFTER,
            )
        self._open[caller_key] += 1
        try:
            yield
        finally:
            self._open[caller_key] -= 1
            if not self._open[caller_key]:
                del self._open[caller_key]


def _key(caller: Caller) -> str:
    return f"{caller.kind} {caller.key_id or caller.user_id}"


@dataclass(frozen=True, slots=True)
class JobStream:
    """The snapshots of a job for one caller, whose rights are checked again every `recheck_seconds`."""

    feed: Feed
    authorize: Callable[[], Awaitable[Caller]]
    caller: Caller
    recheck_seconds: float

    async def snapshots(self) -> AsyncIterator[str]:
        """Yields the newest snapshot, then each change, until the job ends or the caller may no longer read it."""
        loop = asyncio.get_running_loop()
        checked = loop.time()
        seen = 0
        while True:
            changed = self.feed.changed
            left = checked + self.recheck_seconds - loop.time()
            if left <= 0:
                may_read = await self._may_read()
                if may_read is False:
                    return
                if may_read is None:
                    await asyncio.sleep(RECHECK_RETRY_SECONDS)
                else:
                    checked = loop.time()
            elif self.feed.number > seen:
                seen = self.feed.number
                yield self.feed.latest
            elif self.feed.has_ended:
                return
            else:
                await _wait(changed, left)

    async def _may_read(self) -> bool | None:
        """None: unknown while the database is unavailable."""
        try:
            return (await self.authorize()).org_id == self.caller.org_id
        except ClayPushError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return None
            log.info("event_stream.rights_ended", code=error.code)
            return False
        except (*UNAVAILABLE, TimeoutError):
            return None


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return
