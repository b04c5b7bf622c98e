"""httpx's face over aiohttp's connections, for POSTs of bytes whose answer is a status and 4 KB: nothing else is kept.

The package `httpx-aiohttp` does the same for everything; for this one thing it costs two thirds more (headers converted
both ways, two generators a body) and reports a connection lost in mid-answer as `ConnectTimeout`.
"""

import asyncio
import ssl

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver

from clay_push_service import __version__
from clay_push_service.deliveries.answer import MAX_ANSWER_BYTES
from clay_push_service.deliveries.connections import TRIP, GuardedConnector, GuardedRequest
from clay_push_service.destinations.guard import Policy

HEADERS = {
    "content-type": "application/json",
    "accept": "*/*",
    "accept-encoding": "identity",
    "user-agent": f"clay-push-service/{__version__}",
}
KEPT_HEADERS = ("retry-after",)
BODY_SECONDS = 2.0
"""For the answer's body once its status is known: the status is what counts, and a dripping body must not hold a slot."""
MAX_HEADERS = 100


class GuardedTransport(httpx.AsyncBaseTransport):
    """One aiohttp session, opened by the first POST inside the event loop."""

    def __init__(
        self,
        policy: Policy,
        connect_timeout_seconds: float,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._connect_timeout_seconds = connect_timeout_seconds
        self._resolver = resolver
        self._tls = tls or httpx.create_ssl_context(trust_env=False)  # certifi's roots, whatever SSL_CERT_FILE says
        self._session: aiohttp.ClientSession | None = None
        self.connector: GuardedConnector | None = None

    def _open(self) -> aiohttp.ClientSession:
        resolver = self._resolver or aiohttp.ThreadedResolver()
        self.connector = GuardedConnector(self._policy, resolver, self._tls, self._connect_timeout_seconds)
        self._session = aiohttp.ClientSession(
            connector=self.connector,
            request_class=GuardedRequest,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),  # one organization's cookies must not reach another's webhook
            timeout=aiohttp.ClientTimeout(),  # none: the deadline is over the whole POST, and the caller's
            trust_env=False,
            auto_decompress=False,
            read_bufsize=2 * MAX_ANSWER_BYTES,
            max_headers=MAX_HEADERS,
        )
        return self._session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._session or self._open()
        trip = TRIP.get()
        answer = await session.request(
            request.method,
            str(request.url),
            headers=dict(request.extensions["headers"]),
            data=request.extensions["body"],
            allow_redirects=False,
        )
        body = b""
        try:
            end = min(asyncio.get_running_loop().time() + BODY_SECONDS, trip.deadline.when() or 0.0)
            trip.deadline.reschedule(None)  # or it would turn a known status into `no answer`
            async with asyncio.timeout_at(end):
                while len(body) < MAX_ANSWER_BYTES and (part := await answer.content.read(MAX_ANSWER_BYTES)):
                    body += part
        except (aiohttp.ClientError, OSError):
            pass  # the status is known; nothing that befalls the body changes what it means
        finally:
            answer.release()  # read to its end: the connection goes back; not so: it is closed
        if self.connector is not None and (promise := answer.headers.get("keep-alive")) is not None:
            self.connector.learn_keep_alive(trip.place, promise)
        # As bytes: aiohttp reads headers beyond ASCII, httpx makes them of ASCII only.
        kept = [
            (name.encode(), value.encode(errors="surrogateescape"))
            for name in KEPT_HEADERS
            if (value := answer.headers.get(name)) is not None
        ]
        return httpx.Response(answer.status, headers=kept, content=body[:MAX_ANSWER_BYTES])

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
