"""Client of Clay's public API v0: checks a key, starts runs of routines and reads their results. No redirects, no retries.

It sends through the connections and the guard of `webhook_client`. Every network event is a value, never an exception.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import quote

from clay_push_service.clay.response import Blocked, Responded, Response
from clay_push_service.clay.routines_body import (
    MAX_ID_CHARACTERS,
    MAX_ITEM_ID_CHARACTERS,
    MAX_ITEMS,
    ResultsPage,
    RunItem,
    read_object,
    read_results,
    read_run_id,
    run_body,
)
from clay_push_service.clay.routines_outcome import KEY_CHARACTERS, ApiFailure, Call, failure_of, unreadable
from clay_push_service.clay.webhook_client import USER_AGENT, ClayClient, ReadLimits
from clay_push_service.destinations.guard import BlockedError, Policy, check_url
from clay_push_service.settings import Settings

KEY_HEADER = "clay-api-key"
MAX_PAGE = 100
API_LIMITS = ReadLimits(max_body_bytes=4_000_000, rest_seconds=20.0)
"""A page of 100 results with fifty fields has about 1 MB. A larger page is `unreadable_response`: read it with a lower `limit`."""
HEADERS = "accept: application/json\r\naccept-encoding: identity\r\nuser-agent: " + USER_AGENT + "\r\n"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A decrypted Clay API key. Only requests to Clay use it; messages and logs never contain it."""

    value: str

    def __repr__(self) -> str:
        return "ApiKey(***)"


@dataclass(frozen=True, slots=True)
class KeyAccepted:
    """Clay accepted the key (`GET /me`)."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    run_id: str


@dataclass(frozen=True, slots=True)
class RoutinesClient:
    """A thin layer over the process's client; create it wherever it is needed."""

    client: ClayClient
    base_url: str
    policy: Policy
    now: Callable[[], datetime]
    """The current time, for a Retry-After that is a date."""

    @classmethod
    def create(cls, client: ClayClient, settings: Settings, now: Callable[[], datetime]) -> Self:
        return cls(client, settings.clay_api_url, Policy.of(settings), now)

    async def check_key(self, key: ApiKey) -> KeyAccepted | ApiFailure:
        response = await self._send("GET", "/me", key)
        if (failure := failure_of(response, Call.READ, self.now())) is not None:
            return failure
        assert isinstance(response, Responded)  # noqa: S101 - `failure_of` covers all others
        return unreadable(response.status, Call.READ) if read_object(response.body) is None else KeyAccepted()

    async def start_run(
        self, key: ApiKey, routine_id: str, items: Sequence[RunItem], webhook_id: str | None = None
    ) -> RunStarted | ApiFailure:
        """Start a run, once. A failure that `may_have_started` must never be repeated without an explicit request."""
        if not 1 <= len(items) <= MAX_ITEMS:
            raise ValueError(f"a run has 1 to {MAX_ITEMS} items")
        if any(not 1 <= len(item.id) <= MAX_ITEM_ID_CHARACTERS for item in items):
            raise ValueError(f"the id of an item has 1 to {MAX_ITEM_ID_CHARACTERS} characters")
        response = await self._send("POST", f"/routines/{_segment(routine_id)}/run", key, run_body(items, webhook_id))
        if (failure := failure_of(response, Call.START, self.now())) is not None:
            return failure
        assert isinstance(response, Responded)  # noqa: S101 - likewise
        run_id = read_run_id(response.body)
        return unreadable(response.status, Call.START) if run_id is None else RunStarted(run_id)

    async def probe_routine(self, key: ApiKey, routine_id: str) -> ApiFailure | None:
        """Request a run without items, which Clay must refuse: the refusal shows whether the routine exists. This costs nothing.

        None: Clay accepted the request. There is no item, so nothing runs.
        """
        response = await self._send("POST", f"/routines/{_segment(routine_id)}/run", key, run_body([]))
        return failure_of(response, Call.READ, self.now())

    async def read_results(
        self, key: ApiKey, run_id: str, cursor: str | None = None, limit: int = MAX_PAGE
    ) -> ResultsPage | ApiFailure:
        """Read one page. `not_found`: Clay has deleted the results, which it does after about a day."""
        query = f"?limit={limit}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
        response = await self._send("GET", f"/routines/run/{_segment(run_id)}/results{query}", key)
        if (failure := failure_of(response, Call.READ, self.now())) is not None:
            return failure
        assert isinstance(response, Responded)  # noqa: S101 - likewise
        return read_results(response.status, response.body) or unreadable(response.status, Call.READ)

    async def _send(self, method: str, path: str, key: ApiKey, body: bytes | None = None) -> Response:
        value = key.value
        if not (value and value.isascii() and value.isprintable()):
            return Blocked(KEY_CHARACTERS)
        try:
            url = check_url(self.base_url + path, self.policy)
        except BlockedError as error:
            return Blocked(error.reason)
        head = (
            f"{method} {url.url.raw_path.decode('ascii')} HTTP/1.1\r\nhost: {url.url.netloc.decode('ascii')}\r\n"
            f"{HEADERS}{KEY_HEADER}: {value}\r\n"
        )
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return await self.client.send(url, f"{head}\r\n".encode("ascii") + (body or b""), limits=API_LIMITS)


def _segment(value: str) -> str:
    """One path segment. Raises ValueError for an id that would change the path."""
    if not 0 < len(value) <= MAX_ID_CHARACTERS or value in {".", ".."}:
        raise ValueError("not an id that can be used in a path")
    return quote(value, safe="")
