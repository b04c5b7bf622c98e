"""POSTs one body to one webhook and says what came of it; it follows nothing, remembers nothing and raises nothing."""

import asyncio
import ssl
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport

from clay_push_service import __version__
from clay_push_service.deliveries.answer import (
    MAX_ANSWER_BYTES,
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
    GuardedConnector,
    GuardedRequest,
    NotConnectedError,
    Phase,
    StaleError,
    Trip,
)
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy
from clay_push_service.settings import Settings

USER_AGENT = f"clay-push-service/{__version__}"
TOKEN_HEADER = "x-clay-webhook-auth"  # noqa: S105 - a header's name
BODY_SECONDS = 2.0
"""For the answer's body once its status is known: the status is what counts, and a dripping body must not hold a slot."""
MAX_HEADERS = 100
MAX_STALE = 3
"""Connections found closed before the first byte, until we call it `not connected`."""


@dataclass(frozen=True, slots=True)
class Target:
    url: CheckedUrl
    token: str | None = None

    def __repr__(self) -> str:
        return f"Target({self.url!r})"  # the token is a secret


class ClayClient:
    """ONE httpx AsyncClient for the process, over aiohttp's connector. Create it once, close it at the end."""

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
        self._connect_timeout_seconds = connect_timeout_seconds
        self._resolver = resolver
        # Certifi's roots, whatever SSL_CERT_FILE says.
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._connector: GuardedConnector | None = None
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(verify=self._tls, trust_env=False, client=self._session),
            headers={
                "content-type": "application/json",
                "accept": "*/*",
                "accept-encoding": "identity",
                "user-agent": USER_AGENT,
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one organization's must not reach another's
            timeout=None,  # noqa: S113 - httpx's are per read; ours is over the whole POST
            follow_redirects=False,
            trust_env=False,
        )

    @classmethod
    def create(
        cls, settings: Settings, resolver: AbstractResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> "ClayClient":
        """Build the client of a process. `resolver` and `tls` are for tests; whatever resolver it is, it is vetted."""
        return cls(
            Policy.of(settings),
            request_timeout_seconds=settings.request_timeout_seconds,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            resolver=resolver,
            tls=tls,
        )

    def _session(self) -> aiohttp.ClientSession:
        """Called by the transport at the first POST, inside the event loop."""
        self._connector = GuardedConnector(
            self.policy,
            self._resolver or aiohttp.ThreadedResolver(),
            self._tls,
            self._connect_timeout_seconds,
        )
        return aiohttp.ClientSession(
            connector=self._connector,
            request_class=GuardedRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=2 * MAX_ANSWER_BYTES,
            max_headers=MAX_HEADERS,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, target: Target, body: bytes) -> Answer:
        """Send once. Raises only CancelledError and programming errors: everything the network does is an Answer."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        token = target.token
        if token is not None and not (token.isascii() and token.isprintable()):
            return Refused("token_characters")
        answer: Answer | None = None
        for _ in range(MAX_STALE):
            answer = await self._attempt(target, body, loop, started)
            if answer is not None:
                return answer
        return NotConnected(NotConnectedKind.CLOSED, _milliseconds(loop.time() - started))

    async def _attempt(
        self, target: Target, body: bytes, loop: asyncio.AbstractEventLoop, started: float
    ) -> Answer | None:
        """None: the connection was closed before the first byte, so another one may be tried."""
        headers = None if target.token is None else {TOKEN_HEADER: target.token}
        request = self._client.build_request("POST", target.url.url, content=body, headers=headers)
        seconds = self._request_timeout_seconds
        deadline = asyncio.timeout(seconds)
        trip = Trip((target.url.host, target.url.port), deadline, seconds, loop.time())
        variable = TRIP.set(trip)
        try:
            async with deadline:
                response = await self._client.send(request, stream=True)
                return await self._read(response, trip, loop, started)
        except BlockedError as error:
            return Refused(error.reason, _milliseconds(loop.time() - started))
        except NotConnectedError as error:
            return NotConnected(error.kind, _milliseconds(loop.time() - started))
        except (StaleError, httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            return None if trip.unsent else self._failed(error, trip, _milliseconds(loop.time() - started))
        finally:
            TRIP.reset(variable)

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
                if trip.idle_seconds is not None and self._connector is not None:
                    self._connector.learn_patience(trip.place, trip.idle_seconds)
                return NoAnswer(NoAnswerKind.LOST, duration_ms)

    async def _read(
        self, response: httpx.Response, trip: Trip, loop: asyncio.AbstractEventLoop, started: float
    ) -> Responded:
        """Up to MAX_ANSWER_BYTES, as they came. The status is known, so nothing that befalls the body matters."""
        parts: list[bytes] = []
        left = MAX_ANSWER_BYTES
        end = min(loop.time() + BODY_SECONDS, trip.deadline.when() or 0.0)
        trip.deadline.reschedule(None)  # or it would turn a known status into `no answer`
        try:
            async with asyncio.timeout_at(end):
                async for part in response.aiter_raw():
                    parts.append(part[:left])
                    left -= len(part)
                    if left <= 0:
                        break
        except (httpx.HTTPError, aiohttp.ClientError, OSError):
            pass
        finally:
            await response.aclose()  # not at its end: closes the connection; at its end: gives it back
        headers = response.headers
        if self._connector is not None and (promise := headers.get("keep-alive")) is not None:
            self._connector.learn_keep_alive(trip.place, promise)
        return Responded(
            response.status_code,
            headers.get("retry-after"),
            b"".join(parts),
            _milliseconds(loop.time() - started),
        )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
