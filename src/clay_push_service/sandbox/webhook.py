"""Handles a POST as Clay does: refuses it, stores it as one row, or produces a configured fault. It returns no row id."""

import asyncio
import hmac
import socket
import struct
import time
from http import HTTPStatus

import orjson
from aiohttp import web

from clay_push_service.sandbox.callbacks import Callbacks
from clay_push_service.sandbox.faults import FaultKind, FaultRule
from clay_push_service.sandbox.sources import Registry, Source
from clay_push_service.sandbox.store import Arrival, Row, Store

TYPES = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Gone",
    413: "PayloadTooLarge", 429: "TooManyRequests",
}  # fmt: skip
ACCEPTED = b'{"status":"success"}'
LINGER_ZERO = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends RST instead of FIN."""


class Webhook:
    """Handles `POST /v3/sources/webhook/{source}`."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        stopping: asyncio.Event,
        oversize_status: int,
        callbacks: Callbacks | None = None,
    ) -> None:
        self._registry = registry
        self._callbacks = callbacks
        self._store = store
        self._stopping = stopping
        self._oversize_status = oversize_status
        self._idle: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    async def receive(self, request: web.Request) -> web.StreamResponse:
        monotonic_ns, wall = time.monotonic_ns(), time.time()
        self._not_idle(request)
        source = self._registry.sources.get(request.match_info["source"])
        if source is None:
            return _refusal(404, "Webhook not found")
        body: bytes | None
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = None

        fault = source.dice.draw(accepting=False)
        if fault is not None:
            await self._record(
                source, Arrival(source.id, monotonic_ns, wall, _status_of(fault), "fault", fault.kind.value)
            )
            return await self._act(request, source, fault)

        verdict = self._check(source, request, body, monotonic_ns)
        if isinstance(verdict, _Refusal):
            await self._record(source, Arrival(source.id, monotonic_ns, wall, verdict.status, verdict.outcome))
            self._arm_idle(request, source)
            return _refusal(
                verdict.status, verdict.message, "1" if verdict.status == HTTPStatus.TOO_MANY_REQUESTS else None
            )

        source.submissions += 1  # before the commit is awaited: the next request must see it
        fault = source.dice.draw(accepting=True)
        arrival = Arrival(
            source.id, monotonic_ns, wall, 200 if fault is None else _status_of(fault), "accepted",
            None if fault is None else fault.kind.value, verdict,
        )  # fmt: skip
        source.count(arrival)
        stored = await self._store.record(arrival)
        if stored is not None:
            source.count_row(arrival, stored)
            if self._callbacks is not None:
                self._callbacks.row_stored(source.id, verdict)
        if fault is not None:
            return await self._act(request, source, fault)
        self._arm_idle(request, source)
        return web.Response(body=ACCEPTED, content_type="application/json")

    async def _record(self, source: Source, arrival: Arrival) -> None:
        """Waits for the commit: a client may read the record, or kill this process, as soon as it has the response."""
        source.count(arrival)
        await self._store.record(arrival)

    def _check(  # noqa: PLR0911 - one return for each of Clay's limits
        self, source: Source, request: web.Request, body: bytes | None, monotonic_ns: int
    ) -> "_Refusal | Row":
        if source.token is not None and not hmac.compare_digest(
            request.headers.get("x-clay-webhook-auth", "").encode(errors="surrogateescape"), source.token.encode()
        ):
            return _Refusal(401, "unauthorized", "Invalid or missing webhook auth token")
        if request.content_type != "application/json":
            return _Refusal(400, "content_type", "Content-Type must be application/json")
        if body is None:
            return _Refusal(self._oversize_status, "too_large", "Payload exceeds 100 KB")
        if not self._registry.bucket(source.workspace).take(monotonic_ns / 1e9):
            return _Refusal(429, "rate_limited", "Rate limit exceeded: 10 requests per second")
        try:
            parsed: object = orjson.loads(body)  # strict: refuses NaN, lone surrogates and excessive nesting
        except orjson.JSONDecodeError:
            return _Refusal(400, "invalid_json", "Invalid JSON")
        if source.cap is not None and source.submissions >= source.cap:
            return _Refusal(403, "cap_reached", "Record limit reached for webhook")
        return _row(parsed, body)

    async def _act(self, request: web.Request, source: Source, fault: FaultRule) -> web.StreamResponse:
        if fault.ms and await self._stopped_within(fault.ms / 1000):
            return reset(request)
        match fault.kind:
            case FaultKind.SLOW:
                self._arm_idle(request, source)
                return web.Response(body=ACCEPTED, content_type="application/json")
            case FaultKind.STATUS:
                self._arm_idle(request, source)
                message = fault.message or (HTTPStatus(fault.status).phrase if fault.status in _KNOWN else "Fault")
                return _refusal(fault.status, message, fault.retry_after)
            case FaultKind.STALL:
                await self._stopping.wait()  # or until the client disconnects: then aiohttp cancels this handler
                return reset(request)
            case FaultKind.RESET_BEFORE | FaultKind.RESET_AFTER:
                return reset(request)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _not_idle(self, request: web.Request) -> None:
        if self._idle and request.transport is not None and (timer := self._idle.pop(request.transport, None)):
            timer.cancel()

    def _arm_idle(self, request: web.Request, source: Source) -> None:
        idle_ms, transport = source.dice.plan.idle_close_ms, request.transport
        if idle_ms is None or transport is None:
            return

        def close() -> None:
            self._idle.pop(transport, None)
            if not transport.is_closing():
                source.faults["idle_close"] += 1
                transport.close()

        self._idle[transport] = asyncio.get_running_loop().call_later(idle_ms / 1000, close)


class _Refusal:
    __slots__ = ("message", "outcome", "status")

    def __init__(self, status: int, outcome: str, message: str) -> None:
        self.status, self.outcome, self.message = status, outcome, message


_KNOWN = {status.value for status in HTTPStatus}


def _status_of(fault: FaultRule) -> int | None:
    match fault.kind:
        case FaultKind.STATUS:
            return fault.status
        case FaultKind.SLOW:
            return 200
        case _:
            return None


def _refusal(status: int, message: str, retry_after: str | None = None) -> web.Response:
    body = orjson.dumps({"type": TYPES.get(status, "Error"), "message": message})
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


def reset(request: web.Request) -> web.Response:
    """Abort the connection with RST; the returned response is not sent."""
    transport = request.transport
    if transport is not None:
        peer = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        transport.abort()
    return web.Response(status=500)


def _row(parsed: object, body: bytes) -> Row:
    """One POST becomes one row, independent of its body: an array is ONE row, as in Clay."""
    meta = parsed.get("_meta") if isinstance(parsed, dict) else None
    if not isinstance(meta, dict):
        return Row(None, None, body)
    return Row(_id(meta.get("delivery_id")), _id(meta.get("nexusleads_contributor_id")), body)


def _id(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None
