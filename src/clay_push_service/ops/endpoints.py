"""`/healthz` and `/readyz` without a key; `/metrics` and `/status` for service keys with scope `ops`."""

import base64
import binascii
from typing import Annotated

from asyncpg import PostgresError
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
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
from clay_push_service.ops.page import REFRESH_SECONDS, RenderStatus
from clay_push_service.ops.readiness import check_readiness
from clay_push_service.ops.ring import RingCheck, check_ring
from clay_push_service.ops.scrape import Scrape, render
from clay_push_service.ops.verdict import assess, readiness_advice
from clay_push_service.problems import responses

router = APIRouter(tags=["operation"])

Refresh = Annotated[
    int, Query(ge=0, le=3600, description="Seconds between two reloads of the page; 0 turns reloading off.")
]
DATABASE_ERRORS = (SQLAlchemyError, PostgresError, OSError)


class Alive(BaseModel):
    status: str = Field(description="Always `alive`.", examples=["alive"])


class Ready(BaseModel):
    status: str = Field(description="Always `ready`; otherwise the response is 503.", examples=["ready"])


class Unauthenticated:
    """The key cannot be checked because the database does not respond: show only what `/readyz` shows without a key."""


async def _require_ops_key(request: Request, settings: Settings, database: Database) -> Unauthenticated | None:
    """Requires a service key with scope `ops`: as a bearer token or, in a browser, as the password of HTTP Basic."""
    if settings.ops_open:
        return None
    try:
        credential = _credential(request.headers.get("authorization"))
        async with database.transaction() as connection:
            await require_ops(connection, credential)
    except UnauthorizedError as error:
        if _accepts_html(request):
            raise UnauthorizedError(
                error.detail,
                code=error.code,
                headers={"WWW-Authenticate": 'Basic realm="clay-push: service key as password"'},
            ) from None
        raise
    except DATABASE_ERRORS:
        return Unauthenticated()
    return None


def _credential(authorization: str | None) -> str:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return credential_of(authorization)
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise UnauthorizedError("The password cannot be decoded.") from None
    return decoded.partition(":")[2]


OpsCaller = Annotated[Unauthenticated | None, Depends(_require_ops_key)]


def _scrape_of(request: Request) -> Scrape:
    state = request.app.state
    if not hasattr(state, "scrape"):
        state.scrape = Scrape()
    scrape: Scrape = state.scrape
    return scrape


ScrapeOfProcess = Annotated[Scrape, Depends(_scrape_of)]


def _accepts_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


@router.get("/healthz", summary="Liveness", responses=responses())
async def healthz() -> Alive:
    """Checks only this process. Restarting it does not repair a database that is down."""
    return Alive(status="alive")


@router.get("/readyz", summary="Readiness", responses=responses())
async def readyz(settings: Settings, database: Database, host: HostCache) -> Ready:
    """503 `not_ready` while the database is unreachable or not migrated, or NexusLeads' tables cannot be read."""
    ready = await check_readiness(database, host, billing_enabled=settings.billing_enabled)
    for advice in readiness_advice(ready):
        raise UnavailableError(f"{advice.what} {advice.do}", code="not_ready", headers={"Retry-After": "5"})
    return Ready(status="ready")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    dependencies=Authorized,
    responses={**responses(401, 403), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(
    unauthenticated: OpsCaller, scrape: ScrapeOfProcess, database: Database, host: HostCache
) -> Response:
    """Returns metrics of this process, and of the queue from the database. While the database does not respond, only the former."""
    queue = render(None) if unauthenticated else await scrape.text(lambda: _read_vitals(database, host))
    return Response(await run_in_threadpool(generate_latest) + queue, media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/status",
    summary="Status for on-call engineers",
    response_model=Status,
    dependencies=Authorized,
    responses={
        **responses(401, 403),
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        503: {
            "description": "The service cannot accept or send pushes. The same document gives the reason, unless it is a problem document.",
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
    unauthenticated: OpsCaller,
    settings: Settings,
    database: Database,
    host: HostCache,
    clock: Clock,
    refresh: Refresh = REFRESH_SECONDS,
) -> Response:
    """JSON, or a page where `Accept` names text/html. 503 when the service cannot accept or send pushes."""
    require_known_parameters(request)
    ready = await check_readiness(database, host, billing_enabled=settings.billing_enabled)
    ready = ready.without_details if unauthenticated else ready
    box: SecretBox | None = request.app.state.box
    checked = await _read_database(database, host, box, clock) if ready.is_migrated and not unauthenticated else None
    found, ring = checked or (None, None)
    offset = clock.wall_offset_seconds if checked else None
    insecure = () if unauthenticated else settings.insecure
    has_keys = bool(unauthenticated or settings.encryption_keys)
    verdict = assess(ready, found, insecure, has_keys=has_keys, ring=ring, web_offset_seconds=offset)
    status = status_of(ready, found, verdict, insecure, ring, offset)
    code = 200 if verdict.works else 503
    retry = {} if verdict.works else {"Retry-After": "5"}
    if _accepts_html(request):
        render_page: RenderStatus = request.app.state.render_status
        page = render_page(request, status, clock.now(), refresh_seconds=refresh, code=code)
        page.headers.update(retry)
        return page
    return JSONResponse(status.model_dump(mode="json"), code, headers=retry)


async def _read_database(
    database: Database, host: HostCache, box: SecretBox | None, clock: Clock
) -> tuple[Vitals, RingCheck] | None:
    try:
        async with database.transaction() as connection:
            await read_clock(connection, clock)
            return await read_vitals(connection, await _find_tables(connection, host)), await check_ring(
                connection, box
            )
    except DATABASE_ERRORS:
        host.invalidate()
        return None


async def _find_tables(connection: AsyncConnection, host: HostCache) -> HostTables | None:
    """None: NexusLeads' tables are missing, which `check_readiness` reports."""
    try:
        return await host.tables(connection)
    except UnavailableError:
        return None


async def _read_vitals(database: Database, host: HostCache) -> Vitals | None:
    try:
        async with database.transaction() as connection:
            return await read_vitals(connection)
    except DATABASE_ERRORS:
        host.invalidate()
        return None
