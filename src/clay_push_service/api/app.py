"""Builds the FastAPI application: routers, middleware, and the resources of its lifespan. Opens no connection before startup."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.abc import AbstractResolver
from fastapi import FastAPI
from fastapi.routing import APIRoute

from clay_push_service import __version__, logs
from clay_push_service.api import errors
from clay_push_service.api.address import AddressMiddleware
from clay_push_service.api.description import DESCRIPTION, TAGS
from clay_push_service.api.document import complete
from clay_push_service.api.fresh_plan import FreshPlanMiddleware
from clay_push_service.api.head import HeadMiddleware
from clay_push_service.api.requests import RequestMiddleware
from clay_push_service.automation import endpoints as auto_export_endpoints
from clay_push_service.callers import key_endpoints
from clay_push_service.callers.turns import Turns
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.console.pages.status_page import render_status_page
from clay_push_service.console.routes import ROUTERS as CONSOLE_ROUTERS
from clay_push_service.database.clock import DatabaseClock, read_clock
from clay_push_service.database.database import Database
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.destination_settings import endpoints as destination_endpoints
from clay_push_service.destination_settings.named import endpoints as named_endpoints
from clay_push_service.destinations.resolve import default_resolver
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.inbound import endpoints as results_endpoints
from clay_push_service.enrichment.inbound import receive_endpoint
from clay_push_service.enrichment.jobs import endpoints as enrichment_job_endpoints
from clay_push_service.enrichment.jobs import quality_endpoints
from clay_push_service.enrichment.rules import endpoints as auto_enrich_endpoints
from clay_push_service.enrichment.runs import report_endpoint
from clay_push_service.enrichment.settings import endpoints as enrichment_endpoints
from clay_push_service.enrichment.values import endpoints as values_endpoints
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.frontend import endpoints as frontend
from clay_push_service.host_integration.write_back import endpoints as write_back_endpoints
from clay_push_service.mapping_settings import endpoints as mapping_endpoints
from clay_push_service.mapping_settings import template_endpoints
from clay_push_service.ops import endpoints as ops_endpoints
from clay_push_service.ops.readiness import check_readiness
from clay_push_service.privacy import endpoints as privacy_endpoints
from clay_push_service.privacy import exclusion_endpoints
from clay_push_service.push_jobs import job_endpoints, missing_results_endpoints, push_endpoints
from clay_push_service.push_jobs.live.event_streams import EventStreams
from clay_push_service.push_jobs.live.feeds import Feeds
from clay_push_service.push_jobs.live.watch import Watch
from clay_push_service.push_jobs.targets import simulation_endpoint
from clay_push_service.routing import route_endpoints, segment_endpoints
from clay_push_service.schedules import endpoints as schedule_endpoints
from clay_push_service.settings import Settings

ROUTERS = (
    push_endpoints.router,
    job_endpoints.router,
    missing_results_endpoints.router,
    destination_endpoints.router,
    named_endpoints.router,
    key_endpoints.router,
    privacy_endpoints.router,
    ops_endpoints.router,
    auto_export_endpoints.router,
    schedule_endpoints.router,
    exclusion_endpoints.router,
    segment_endpoints.router,
    mapping_endpoints.router,
    template_endpoints.router,
    route_endpoints.router,
    simulation_endpoint.router,
    enrichment_endpoints.router,
    enrichment_job_endpoints.router,
    report_endpoint.router,
    quality_endpoints.router,
    auto_enrich_endpoints.router,
    values_endpoints.router,
    results_endpoints.router,
    receive_endpoint.router,
    write_back_endpoints.router,
    frontend.router,
    *CONSOLE_ROUTERS,
)

log = logs.get(__name__)


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    client: ClayClient | None = None,
    resolver: AbstractResolver | None = None,
    clock: DatabaseClock | None = None,
) -> FastAPI:
    """Arguments are used and left open; missing resources are created at startup and closed at shutdown.

    It starts without a database, or with missing migrations, and then `/readyz` reports not ready: a process that exits
    would only be restarted. Raises SecretError for an unusable key ring.
    """
    host = HostTableCache(settings.host_schema)
    app = FastAPI(
        title="clay_push_service",
        summary="Sends NexusLeads' leads into Clay: queued, paced, once each, with an outcome for every lead.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        version=__version__,
        lifespan=_lifespan,
        openapi_url=None,  # openapi.yaml is committed; only liveness and readiness need no credentials
        docs_url=None,  # its page loads scripts from other servers
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.settings = settings
    app.state.host = host
    app.state.turns = Turns.of(settings)
    app.state.event_streams = EventStreams.of(settings)
    app.state.box = SecretBox(settings.encryption_keys) if settings.encryption_keys else None
    app.state.database = database
    app.state.client = client
    app.state.resolver = resolver
    app.state.clock = clock or DatabaseClock()
    app.state.render_status = render_status_page
    for router in ROUTERS:
        app.include_router(router)
    app.state.methods_of_fixed_paths = _methods_of_fixed_paths()
    errors.install(app)
    app.add_middleware(FreshPlanMiddleware, host=host)
    app.add_middleware(AddressMiddleware)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(RequestMiddleware, host=host)
    app.openapi = _with_problems(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def end_streams(app: FastAPI) -> None:
    """End open event streams regularly: they do not end by themselves, and a shutdown must not wait for them."""
    watch: Watch | None = getattr(app.state, "watch", None)
    if watch is not None:
        watch.stop()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    state = app.state
    own_database = None if state.database is not None else Database.for_web(settings)
    own_resolver = None if state.resolver is not None else default_resolver()
    own_client = None if state.client is not None else ClayClient.create(settings, resolver=state.resolver)
    state.database = state.database or own_database
    state.resolver = state.resolver or own_resolver
    state.client = state.client or own_client
    for setting in settings.insecure:
        log.warning("settings.insecure", setting=setting)
    if state.box is None:
        log.warning("settings.no_encryption_keys", remedy="set CLAY_PUSH_ENCRYPTION_KEYS to save webhooks")
    ready = await check_readiness(state.database, state.host, billing_enabled=settings.billing_enabled)
    if not ready.is_ready:
        log.warning("web.not_ready", reason=ready.reason)
    with contextlib.suppress(*UNAVAILABLE):  # `watch` reads it later
        async with state.database.transaction() as connection:
            await read_clock(connection, state.clock)
    state.watch = Watch(state.database, state.clock)
    state.feeds = Feeds(state.database, state.watch)
    listening = asyncio.create_task(state.watch.run())
    log.info("web.started", version=__version__)
    try:
        yield
    finally:
        state.watch.stop()
        listening.cancel()
        await asyncio.wait([listening])
        if own_client is not None:
            await own_client.close()
        if own_resolver is not None:
            await own_resolver.close()
        if own_database is not None:
            await own_database.close()
        log.info("web.stopped")


def _methods_of_fixed_paths() -> Mapping[str, frozenset[str]]:
    """The methods of each path without parameters."""
    found: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and "{" not in route.path:
                methods = route.methods or set()
                found[route.path] |= methods | ({"HEAD"} if "GET" in methods else set())
    return found


def _operation_id(route: APIRoute) -> str:
    return route.name


def _with_problems(app: FastAPI) -> Any:
    """Return the OpenAPI document of FastAPI, completed."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(original())
        return app.openapi_schema

    return openapi
