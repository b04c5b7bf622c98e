"""All routes of the console, for the application. An area adds its router here."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from clay_push_service.console.pages import exclusions, missing_results, static_files
from clay_push_service.console.pages.destinations import endpoints as destinations
from clay_push_service.console.pages.destinations import workspaces
from clay_push_service.console.pages.enrichment import endpoints as enrichment
from clay_push_service.console.pages.enrichment import live as enrichment_live
from clay_push_service.console.pages.enrichment import quality_page, settings_page
from clay_push_service.console.pages.integrations import endpoints as integrations
from clay_push_service.console.pages.jobs import endpoints as jobs
from clay_push_service.console.pages.jobs import live
from clay_push_service.console.pages.leads import endpoints as leads
from clay_push_service.console.pages.mappings import endpoints as mappings
from clay_push_service.console.pages.mappings import templates
from clay_push_service.console.pages.overview import endpoints as overview
from clay_push_service.console.pages.projects import auto_enrich
from clay_push_service.console.pages.projects import endpoints as projects
from clay_push_service.console.pages.routing import endpoints as routing
from clay_push_service.console.pages.routing import segments
from clay_push_service.console.pages.schedules import endpoints as schedules
from clay_push_service.console.pages.settings import endpoints as settings
from clay_push_service.console.session import endpoints as session
from clay_push_service.console.session.route import SignInRoute

outside = APIRouter(include_in_schema=False, route_class=SignInRoute)


@outside.get("/console")
async def add_slash(request: Request) -> Response:
    """The cookie's path ends with a slash, so the console's address does, too."""
    return RedirectResponse(f"/console/?{request.url.query}" if request.url.query else "/console/", 308)


ROUTERS: Final = (
    static_files.router,
    session.public,
    session.router,
    outside,
    overview.router,
    integrations.router,
    destinations.router,
    workspaces.router,
    segments.router,
    mappings.router,
    templates.router,
    routing.router,
    schedules.router,
    leads.router,
    quality_page.router,
    settings_page.router,
    enrichment.router,
    enrichment_live.router,
    projects.router,
    auto_enrich.router,
    exclusions.router,
    missing_results.router,
    settings.router,
    jobs.router,
    live.router,
)
