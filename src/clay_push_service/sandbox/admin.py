"""The sandbox's own API under `/sandbox`: sources, faults, rows, counts and arrivals. Clay has no such API."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from clay_push_service.sandbox.admin_models import LimitsBody, SourceBody, SourceChange
from clay_push_service.sandbox.callbacks import CallbackPlan, Callbacks
from clay_push_service.sandbox.faults import FaultPlan
from clay_push_service.sandbox.limits import WorkspaceLimits
from clay_push_service.sandbox.sources import Registry, Source
from clay_push_service.sandbox.store import Store, Value

PAGE = 100
MAX_PAGE = 1_000
MAX_ARRIVALS = 100_000

Model = TypeVar("Model", bound=BaseModel)


class Admin:
    def __init__(self, registry: Registry, store: Store, callbacks: Callbacks) -> None:
        self._registry = registry
        self._store = store
        self._callbacks = callbacks

    def routes(self) -> list[web.RouteDef]:
        one = "/sandbox/sources/{source}"
        return [
            web.get("/sandbox/sources", self.list_sources),
            web.post("/sandbox/sources", self.create),
            web.patch(one, self.change),
            web.delete(one, self._with_source(self.delete)),
            web.put(one + "/faults", self.set_faults),
            web.get(one + "/faults", self._with_source(self.get_faults)),
            web.delete(one + "/faults", self._with_source(self.clear_faults)),
            web.put(one + "/callbacks", self.set_callbacks),
            web.delete(one + "/callbacks", self._with_source(self.clear_callbacks)),
            web.get(one + "/rows", self.rows),
            web.delete(one + "/rows", self._with_source(self.delete_rows)),
            web.get(one + "/counts", self._with_source(self.counts)),
            web.get(one + "/arrivals", self.arrivals),
            web.put("/sandbox/workspaces/{workspace}", self.limit),
        ]

    def _source(self, request: web.Request) -> Source:
        source = self._registry.sources.get(request.match_info["source"])
        if source is None:
            raise web.HTTPNotFound(text='{"message":"no such source"}', content_type="application/json")
        return source

    def _with_source(
        self, act: Callable[[Source], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            return await act(self._source(request))

        return handle

    async def list_sources(self, _request: web.Request) -> web.Response:
        return json_response({"sources": [self._describe(source) for source in self._registry.sources.values()]})

    async def create(self, request: web.Request) -> web.Response:
        body = await read_body(request, SourceBody)
        if body.id in self._registry.sources:
            return json_response({"message": "this source already exists"}, 409)
        workspace = body.workspace or (body.id if body.limited else "default")
        if body.limited:
            await self._registry.limit(workspace, WorkspaceLimits(body.rate, body.burst))
        source = await self._registry.create(body.id, workspace=workspace, token=body.token, cap=body.cap)
        return json_response(self._describe(source), 201)

    async def change(self, request: web.Request) -> web.Response:
        source, body = self._source(request), await read_body(request, SourceChange)
        sent = body.model_fields_set
        await self._registry.change(
            source,
            token=body.token if "token" in sent else source.token,
            cap=body.cap if "cap" in sent else source.cap,
            submissions=body.submissions if "submissions" in sent else source.submissions,
        )
        return json_response(self._describe(source))

    async def limit(self, request: web.Request) -> web.Response:
        body = await read_body(request, LimitsBody)
        await self._registry.limit(request.match_info["workspace"], body.limits())
        return json_response({"id": request.match_info["workspace"], "rate": body.rate, "burst": body.burst})

    async def delete(self, source: Source) -> web.Response:
        await self._registry.delete(source)
        return web.Response(status=204)

    async def delete_rows(self, source: Source) -> web.Response:
        await self._registry.delete_rows(source)
        return web.Response(status=204)

    async def set_faults(self, request: web.Request) -> web.Response:
        source, plan = self._source(request), await read_body(request, FaultPlan)
        self._registry.plan(source, plan)
        return json_response(plan.model_dump(mode="json"))

    async def get_faults(self, source: Source) -> web.Response:
        return json_response(source.dice.plan.model_dump(mode="json"))

    async def clear_faults(self, source: Source) -> web.Response:
        self._registry.plan(source, FaultPlan())
        return web.Response(status=204)

    async def set_callbacks(self, request: web.Request) -> web.Response:
        source, plan = self._source(request), await read_body(request, CallbackPlan)
        self._callbacks.plans[source.id] = plan
        return json_response(plan.model_dump(mode="json", exclude={"headers"}))

    async def clear_callbacks(self, source: Source) -> web.Response:
        self._callbacks.plans.pop(source.id, None)
        return web.Response(status=204)

    async def counts(self, source: Source) -> web.Response:
        return json_response(counts_of(source))

    async def rows(self, request: web.Request) -> web.Response:
        """Newest first. `cursor` continues with older rows; `after` returns only rows newer than that id."""
        source = self._source(request)
        limit = min(_whole(request, "limit", PAGE), MAX_PAGE)
        found = await self._store.query(
            "SELECT id, arrived_at, delivery_id, lead_id, duplicate, repeated_lead, body FROM rows "
            "WHERE source = ? AND id < ? AND id > ? ORDER BY id DESC LIMIT ?",
            (source.id, _whole(request, "cursor", 2**62), _whole(request, "after", 0), limit + 1),
        )
        page = [_row(row) for row in found[:limit]]
        return json_response({"rows": page, "next_cursor": found[limit - 1][0] if len(found) > limit else None})

    async def arrivals(self, request: web.Request) -> web.Response:
        """Every request, oldest first, with its outcome; `after` continues after that id."""
        source = self._source(request)
        limit = min(_whole(request, "limit", 10_000), MAX_ARRIVALS)
        found = await self._store.query(
            "SELECT id, monotonic_ns, wall, status, outcome, fault FROM arrivals "
            "WHERE source = ? AND id > ? ORDER BY id LIMIT ?",
            (source.id, _whole(request, "after", 0), limit + 1),
        )
        names = ("id", "monotonic_ns", "wall", "status", "outcome", "fault")
        page = [dict(zip(names, row, strict=True)) for row in found[:limit]]
        return json_response({"arrivals": page, "next_after": found[limit - 1][0] if len(found) > limit else None})

    def _describe(self, source: Source) -> Mapping[str, object]:
        limits = self._registry.bucket(source.workspace).limits
        return {
            "id": source.id,
            "path": f"/v3/sources/webhook/{source.id}",
            "workspace": source.workspace,
            "has_token": source.token is not None,
            "cap": source.cap,
            "rate": limits.rate_per_second,
            "burst": limits.burst,
            "submissions": source.submissions,
            "rows": source.rows,
        }


def counts_of(source: Source) -> Mapping[str, object]:
    now_ns = time.monotonic_ns()
    arrived = source.arrivals
    return {
        "rows": source.rows,
        "distinct_delivery_ids": source.identified - source.duplicates,
        "duplicates": source.duplicates,
        "distinct_leads": source.leads - source.repeated_leads,
        "repeated_leads": source.repeated_leads,
        "submissions": source.submissions,
        "cap": source.cap,
        "refused": dict(source.refused),
        "faults": dict(source.faults),
        "arrivals": {
            "requests": arrived.requests,
            "first_at": _time(arrived.first_wall),
            "last_at": _time(arrived.last_wall),
            "per_second_last_10": round(arrived.per_second_recently(now_ns), 2),
            "busiest_second": arrived.busiest_second,
            "mean_gap_ms": arrived.mean_gap_ms,
            "shortest_gap_ms": None if arrived.shortest_gap_ns is None else arrived.shortest_gap_ns / 1e6,
        },
    }


def _row(row: tuple[Value, ...]) -> Mapping[str, object]:
    number, arrived_at, delivery_id, lead_id, duplicate, repeated_lead, body = row
    return {
        "id": number,
        "arrived_at": _time(arrived_at if isinstance(arrived_at, float) else None),
        "delivery_id": delivery_id,
        "lead_id": lead_id,
        "duplicate": bool(duplicate),
        "repeated_lead": bool(repeated_lead),
        "body": orjson.Fragment(
            body if isinstance(body, bytes) else b"null"
        ),  # checked when it arrived; not parsed again
    }


def _time(wall: float | None) -> str | None:
    return None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def json_response(value: Mapping[str, object], status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 - what SQLite's integers hold
        raise web.HTTPBadRequest(text=f'{{"message":"{name} must be a whole number"}}', content_type="application/json")
    return max(int(text), 1) if name == "limit" else int(text)


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """Requires the JSON content type: another site's form cannot send it without a CORS preflight."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text='{"message":"send JSON"}', content_type="application/json")
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        text = orjson.dumps({"message": "invalid", "errors": problems}).decode()
        raise web.HTTPUnprocessableEntity(text=text, content_type="application/json") from None
