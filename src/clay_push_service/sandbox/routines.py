"""Handles Clay's public API v0 (`/public/v0`): `GET /me`, starts of routine runs, and their results; with faults."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from aiohttp import web

from clay_push_service.sandbox.faults import FaultKind, FaultRule
from clay_push_service.sandbox.routine_runs import Item, RoutineRuns, Run
from clay_push_service.sandbox.webhook import reset

PREFIX = "/public/v0"
MAX_ITEMS = 100
MAX_BODY_BYTES = 2_000_000
"""The limit of the sandbox; Clay publishes none."""
MAX_ID_CHARACTERS = 64
MAX_PAGE = 100
RETRY_AFTER = "2"


class _Refused(Exception):  # noqa: N818 - a response, not an error
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class RoutinesApi:
    """All keys belong to one workspace: they share its pace and credits."""

    def __init__(self, runs: RoutineRuns, stopping: asyncio.Event) -> None:
        self._runs = runs
        self._stopping = stopping

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PREFIX}/me", self._handler("me", self._me)),
            web.post(PREFIX + "/routines/{routine}/run", self._handler("run", self._start)),
            web.get(PREFIX + "/routines/run/{run}/results", self._handler("results", self._results)),
        ]

    def _handler(
        self, endpoint: str, act: Callable[[web.Request], Awaitable[tuple[int, Mapping[str, object]]]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._runs.requests[endpoint] += 1
            dice = self._runs.dice(endpoint)
            if (fault := dice.draw(accepting=False)) is not None:
                return await self._act(request, endpoint, fault, self._json(endpoint, 200, {}))
            try:
                self._admit(request, endpoint)
                status, body = await act(request)
            except _Refused as refused:
                return self._json(endpoint, refused.status, {"message": refused.message})
            response = self._json(endpoint, status, body)
            fault = dice.draw(accepting=True)
            return response if fault is None else await self._act(request, endpoint, fault, response)

        return handle

    def _admit(self, request: web.Request, endpoint: str) -> None:
        plan = self._runs.plan
        key = request.headers.get("clay-api-key", "")
        if not key or (plan.keys is not None and key not in plan.keys):
            raise _Refused(401, "Invalid API key")
        if plan.not_enabled == "all" or (plan.not_enabled == "routines" and endpoint != "me"):
            raise _Refused(401, "This workspace is not provisioned for the public API")
        if not self._runs.admits():
            raise _Refused(429, "Rate limit exceeded")

    async def _me(self, _request: web.Request) -> tuple[int, Mapping[str, object]]:
        return 200, {"user": {"id": 1, "email": "sandbox@example.com"}, "workspace": {"id": 1, "name": "Sandbox"}}

    async def _start(self, request: web.Request) -> tuple[int, Mapping[str, object]]:
        routine_id = request.match_info["routine"]
        routine = self._runs.plan.routines.get(routine_id)
        if routine is None and not self._runs.plan.deviations.checks_items_first:
            raise _Refused(404, "Routine not found")
        body = await request.clone(client_max_size=MAX_BODY_BYTES).read()
        items = _items(body)
        if routine is None:
            raise _Refused(404, "Routine not found")
        if not self._runs.can_pay(routine, len(items)):
            raise _Refused(402, "You have run out of credits")
        webhook_id = orjson.loads(body).get("webhook_id")
        run = self._runs.start(routine_id, items, webhook_id if isinstance(webhook_id, str) else None)
        return 202, {"routine_run_id": run.id, "status": "in_progress"}

    async def _results(self, request: web.Request) -> tuple[int, Mapping[str, object]]:
        run = self._runs.find(request.match_info["run"])
        if run is None:
            raise _Refused(404, "Routine run not found")
        total = len(run.items)
        if not self._runs.is_complete(run):
            return 202, {"total": total, "finished": 0, "status": "in_progress", "data": []}
        return 200, self._page(request, run, total)

    def _page(self, request: web.Request, run: Run, total: int) -> Mapping[str, object]:
        start, limit = _whole(request, "cursor", 0), min(_whole(request, "limit", MAX_PAGE), MAX_PAGE)
        results = self._runs.results(run)
        page: dict[str, object] = {
            "total": total, "finished": len(results), "status": "complete", "data": results[start : start + limit],
        }  # fmt: skip
        if start + limit < len(results):
            page["cursor"] = str(start + limit)
        return page

    async def _act(
        self, request: web.Request, endpoint: str, fault: FaultRule, success: web.Response
    ) -> web.StreamResponse:
        self._runs.requests[f"{endpoint} fault {fault.kind.value}"] += 1
        if fault.ms:
            try:
                await asyncio.wait_for(self._stopping.wait(), fault.ms / 1000)
            except TimeoutError:
                pass
            else:
                return reset(request)
        match fault.kind:
            case FaultKind.SLOW:
                return success
            case FaultKind.STATUS:
                return self._json(endpoint, fault.status, {"message": fault.message or "Fault"}, fault.retry_after)
            case FaultKind.STALL:
                await self._stopping.wait()  # or until the client disconnects: then aiohttp cancels this handler
                return reset(request)
            case FaultKind.RESET_BEFORE | FaultKind.RESET_AFTER:
                return reset(request)

    def _json(
        self, endpoint: str, status: int, body: Mapping[str, object], retry_after: str | None = None
    ) -> web.Response:
        self._runs.requests[f"{endpoint} {status}"] += 1
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            retry_after = retry_after or RETRY_AFTER
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        written = orjson.dumps(self._runs.written(dict(body)))
        return web.Response(status=status, body=written, headers=headers, content_type="application/json")


def _items(body: bytes) -> list[Item]:
    try:
        given: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _Refused(400, "Invalid JSON") from None
    items = given.get("items") if isinstance(given, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise _Refused(400, f"items must have 1 to {MAX_ITEMS} elements")
    found = []
    for each in items:
        item_id, inputs = (each.get("id"), each.get("inputs")) if isinstance(each, dict) else (None, None)
        if not isinstance(item_id, str) or not 1 <= len(item_id) <= MAX_ID_CHARACTERS or not isinstance(inputs, dict):
            raise _Refused(400, f"each item has an id of up to {MAX_ID_CHARACTERS} characters and inputs")
        found.append(Item(item_id, inputs))
    return found


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - far beyond any cursor
        raise _Refused(400, f"{name} is invalid")
    return int(text)
