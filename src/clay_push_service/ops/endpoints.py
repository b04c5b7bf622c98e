"""`/healthz`, `/readyz`, `/metrics` and `/status`: the first two for everybody, the others for on-call."""

import base64
import binascii
from typing import Annotated

from asyncpg import PostgresError
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.concurrency import run_in_threadpool

from clay_push_service.callers.authenticate import credential_of, require_ops
from clay_push_service.callers.dependencies import Authorized, HostCache
from clay_push_service.callers.request_state import Clock, Database, Settings
from clay_push_service.callers.strict_query import require_known_parameters
from clay_push_service.database.clock import read_clock
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.errors import UnauthorizedError, UnavailableError
from clay_push_service.host.tables import HostTables
from clay_push_service.ops.health import Vitals, read_vitals
from clay_push_service.ops.models import Status, status_of
from clay_push_service.ops.page import REFRESH_SECONDS
from clay_push_service.ops.page import render as render_page
from clay_push_service.ops.readiness import check_readiness
from clay_push_service.ops.ring import RingCheck, check_ring
from clay_push_service.ops.scrape import Scrape, render
from clay_push_service.ops.verdict import judge
from clay_push_service.problems import responses

router = APIRouter(tags=["operation"])

PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
Refresh = Annotated[int, Query(ge=0, le=3600, description="Of the page: seconds between two reloads; 0 for none.")]
LOST = (SQLAlchemyError, PostgresError, OSError)


class Alive(BaseModel):
    status: str = Field(description="Always `alive`.", examples=["alive"])


class Ready(BaseModel):
    status: str = Field(description="Always `ready`; else the answer is 503.", examples=["ready"])


class NoSight:
    """The database that knows the keys cannot be asked: only that is shown, which everybody may see on `/readyz`."""


async def _on_call(request: Request, settings: Settings, database: Database) -> NoSight | None:
    """Scope `ops`, as a bearer key or, for a browser, as the password of HTTP Basic."""
    if settings.ops_open:
        return None
    try:
        credential = _credential(request.headers.get("authorization"))
        async with database.transaction() as connection:
            await require_ops(connection, credential)
    except UnauthorizedError as error:
        if _wants_page(request):
            raise UnauthorizedError(
                error.detail, code=error.code, headers={"WWW-Authenticate": 'Basic realm="clay-push: a service key"'}
            ) from None
        raise
    except LOST:
        return NoSight()
    return None


def _credential(authorization: str | None) -> str:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return credential_of(authorization)
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise UnauthorizedError("The password is not readable.") from None
    return decoded.partition(":")[2]


OnCall = Annotated[NoSight | None, Depends(_on_call)]


def _scrape(request: Request) -> Scrape:
    state = request.app.state
    if not hasattr(state, "scrape"):
        state.scrape = Scrape()
    found: Scrape = state.scrape
    return found


ScrapeOfProcess = Annotated[Scrape, Depends(_scrape)]


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


@router.get("/healthz", summary="Is the process alive?", responses=responses())
async def healthz() -> Alive:
    """Asks nothing else: a database that is down is no reason to kill this process."""
    return Alive(status="alive")


@router.get("/readyz", summary="Can it take requests?", responses=responses())
async def readyz(settings: Settings, database: Database, host: HostCache) -> Ready:
    """503 `not_ready` while the database is away or behind this release, or NexusLeads' tables cannot be read."""
    ready = await check_readiness(database, host, billing_enabled=settings.billing_enabled)
    if ready.reason is not None:
        raise UnavailableError(ready.reason, code="not_ready", headers={"Retry-After": "5"})
    return Ready(status="ready")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    dependencies=Authorized,
    responses={**responses(401, 403), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(sight: OnCall, scrape: ScrapeOfProcess, database: Database, host: HostCache) -> Response:
    """Of this process, and of the queue as the database tells it; without a database only the former."""
    seen = render(None) if sight else await scrape.text(lambda: _read_vitals(database, host))
    return Response(await run_in_threadpool(generate_latest) + seen, media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/status",
    summary="For whoever is on call",
    response_model=Status,
    dependencies=Authorized,
    responses={
        **responses(401, 403),
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        503: {
            "description": "It cannot do its work; the same document says why, unless it is a problem document.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Status"}},
                "text/html": {"schema": {"type": "string"}},
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            },
        },
    },
)
async def read_status(
    request: Request,
    sight: OnCall,
    settings: Settings,
    database: Database,
    host: HostCache,
    clock: Clock,
    refresh: Refresh = REFRESH_SECONDS,
) -> Response:
    """JSON, or a page where `Accept` names text/html. 503 when it cannot do its work."""
    require_known_parameters(request)
    ready = await check_readiness(database, host, billing_enabled=settings.billing_enabled)
    ready = ready.for_everybody if sight else ready
    box: SecretBox | None = request.app.state.box
    looked = await _look(database, host, box, clock) if ready.is_migrated and not sight else None
    seen, ring = looked or (None, None)
    offset = clock.wall_offset_seconds if looked else None
    loosened = () if sight else settings.loosened
    has_keys = bool(sight or settings.encryption_keys)
    verdict = judge(ready, seen, loosened, has_keys=has_keys, ring=ring, web_offset_seconds=offset)
    status = status_of(ready, seen, verdict, loosened, ring, offset)
    code = 200 if verdict.works else 503
    later = {} if verdict.works else {"Retry-After": "5"}
    if _wants_page(request):
        return HTMLResponse(
            render_page(status, clock.now(), refresh), code, headers={"Content-Security-Policy": PAGE_POLICY} | later
        )
    return JSONResponse(status.model_dump(mode="json"), code, headers=later)


async def _look(
    database: Database, host: HostCache, box: SecretBox | None, clock: Clock
) -> tuple[Vitals, RingCheck] | None:
    try:
        async with database.transaction() as connection:
            await read_clock(connection, clock)
            return await read_vitals(connection, await _tables(connection, host)), await check_ring(connection, box)
    except LOST:
        host.invalidate()
        return None


async def _tables(connection: AsyncConnection, host: HostCache) -> HostTables | None:
    """None: NexusLeads' tables are not there, which `readiness` reports."""
    try:
        return await host.tables(connection)
    except UnavailableError:
        return None


async def _read_vitals(database: Database, host: HostCache) -> Vitals | None:
    try:
        async with database.transaction() as connection:
            return await read_vitals(connection)
    except LOST:
        host.invalidate()
        return None
