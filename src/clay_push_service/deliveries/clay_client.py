"""POSTs one body to one webhook and says what came of it; it follows nothing, remembers nothing and raises nothing."""

import asyncio
import ssl
from dataclasses import dataclass

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver

from clay_push_service.deliveries.answer import (
    Answer,
    NoAnswer,
    NoAnswerKind,
    NotConnected,
    NotConnectedKind,
    Refused,
    Responded,
)
from clay_push_service.deliveries.connections import (
    TRIP,
    GateClosedError,
    NotConnectedError,
    Phase,
    SendGate,
    StaleError,
    Trip,
)
from clay_push_service.deliveries.transport import GuardedTransport
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy
from clay_push_service.settings import Settings

TOKEN_HEADER = "x-clay-webhook-auth"  # noqa: S105 - a header's name
MAX_STALE = 3
"""Connections found closed before the first byte, until we call it `not connected`."""


@dataclass(frozen=True, slots=True)
class Target:
    url: CheckedUrl
    token: str | None = None

    def __repr__(self) -> str:
        return f"Target({self.url!r})"  # the token is a secret


class NoCookies(httpx.Cookies):
    """httpx would read and keep each answer's cookies, and one organization's must not reach another's webhook."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class ClayClient:
    """ONE httpx AsyncClient for the process. Create it once, close it at the end."""

    def __init__(
        self,
        policy: Policy,
        *,
        request_timeout_seconds: float,
        connect_timeout_seconds: float,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy
        self._request_timeout_seconds = request_timeout_seconds
        self._transport = GuardedTransport(policy, connect_timeout_seconds, resolver, tls)
        self._client = httpx.AsyncClient(
            transport=self._transport,
            timeout=None,  # noqa: S113 - httpx's are per read; ours is over the whole POST
            follow_redirects=False,
            trust_env=False,
        )
        self._client._cookies = NoCookies()  # noqa: SLF001 - it has no setting for it

    @classmethod
    def create(
        cls, settings: Settings, resolver: AbstractResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> "ClayClient":
        """Build the client of a process. `resolver` and `tls` are for tests; whatever the resolver says is vetted."""
        return cls(
            Policy.of(settings),
            request_timeout_seconds=settings.request_timeout_seconds,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            resolver=resolver,
            tls=tls,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, target: Target, body: bytes, gate: SendGate | None = None) -> Answer:
        """Send once. Raises only CancelledError and programming errors: everything the network does is an Answer.

        `gate`: asked once the connection is there; if it does not let the POST through, the answer is `not connected`, `busy`.
        """
        started = asyncio.get_running_loop().time()
        token = target.token
        if token is not None and not (token.isascii() and token.isprintable()):
            return Refused("token_characters")
        for _ in range(MAX_STALE):
            answer = await self._attempt(target, body, started, gate)
            if answer is not None:
                return answer
        return NotConnected(NotConnectedKind.CLOSED, _milliseconds_since(started))

    async def _attempt(self, target: Target, body: bytes, started: float, gate: SendGate | None) -> Answer | None:
        """None: the connection was closed before the first byte, so another one may be tried."""
        headers = () if not target.token else ((TOKEN_HEADER, target.token),)
        # Straight to the transport: httpx.Headers would be built, encoded, iterated and parsed again for every POST.
        request = httpx.Request(
            "POST", target.url.url, stream=httpx.ByteStream(body), extensions={"headers": headers, "body": body}
        )
        deadline = asyncio.timeout(self._request_timeout_seconds)
        place = target.url.host, target.url.port
        trip = Trip(place, deadline, self._request_timeout_seconds, asyncio.get_running_loop().time(), gate=gate)
        variable = TRIP.set(trip)
        try:
            async with deadline:
                response = await self._client.send(request)
        except BlockedError as error:
            return Refused(error.reason, _milliseconds_since(started))
        except NotConnectedError as error:
            return NotConnected(error.kind, _milliseconds_since(started))
        except GateClosedError:
            return NotConnected(NotConnectedKind.BUSY, _milliseconds_since(started))
        except (StaleError, httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            return None if trip.unsent else self._failed(error, trip, _milliseconds_since(started + trip.held_seconds))
        finally:
            TRIP.reset(variable)
        # httpx ties it to its answer and that to it; untied, nothing of a POST waits for the garbage collector.
        del response.stream
        wait = response.headers.get("retry-after")
        taken_ms = _milliseconds_since(started + trip.held_seconds)
        return Responded(response.status_code, wait, response.content, taken_ms)

    def _failed(self, error: Exception, trip: Trip, duration_ms: int) -> Answer:
        late = isinstance(error, TimeoutError) and trip.deadline.expired()
        match trip.phase:
            case Phase.WAITING:
                return NotConnected(NotConnectedKind.BUSY, duration_ms)
            case Phase.CONNECTING:
                kind = NotConnectedKind.CONNECT_TIMEOUT if late else NotConnectedKind.UNREACHABLE
                return NotConnected(kind, duration_ms)
            case Phase.SENDING if late:
                return NoAnswer(NoAnswerKind.TIMEOUT, duration_ms)
            case Phase.SENDING:
                if isinstance(error, aiohttp.ClientResponseError):
                    return NoAnswer(NoAnswerKind.GARBLED, duration_ms)
                if trip.idle_seconds is not None and self._transport.connector is not None:
                    self._transport.connector.learn_patience(trip.place, trip.idle_seconds)
                return NoAnswer(NoAnswerKind.LOST, duration_ms)


def _milliseconds_since(started: float) -> int:
    return round((asyncio.get_running_loop().time() - started) * 1000)
