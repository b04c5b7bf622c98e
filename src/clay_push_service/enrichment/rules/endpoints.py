"""The HTTP endpoints of auto-enrich rules."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, Reader
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Settings, Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.enrichment.rules.preview import preview_auto_enrich
from clay_push_service.enrichment.rules.preview_schemas import AutoEnrichPreview, EnrichPreviewQuery
from clay_push_service.enrichment.rules.rule import read_rule, write_rule
from clay_push_service.enrichment.rules.runs import read_runs
from clay_push_service.enrichment.rules.schemas import AutoEnrichBody, AutoEnrichView, RuleRunView, RulesResumed
from clay_push_service.enrichment.settings.pace import resume_rules
from clay_push_service.enrichment.settings.service import require_plan
from clay_push_service.enrichment.settings.table import lock_settings
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.selection import require_project

router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute)
ProjectId = Annotated[UUID, Path(description="The project.")]
RULE = "/projects/{project_id}/auto-enrich"


@router.get(RULE, summary="A project's auto-enrich rule", responses=responses(*CALLER, 404))
async def get_auto_enrich(
    project_id: ProjectId, caller: Reader, connection: Transaction, tables: DetectedTables
) -> AutoEnrichView:
    """With its last runs."""
    await require_project(connection, tables, caller.org_id, project_id)
    return await _view(connection, caller.org_id, project_id)


@router.get(
    f"{RULE}/preview",
    summary="Preview the auto-enrich rule",
    responses=responses(*CALLER, 404),
    dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))],
)
async def get_auto_enrich_preview(
    project_id: ProjectId,
    caller: Reader,
    connection: Transaction,
    tables: DetectedTables,
    query: Annotated[EnrichPreviewQuery, Query()],
) -> AutoEnrichPreview:
    """All leads that past scans of the project found, each with the condition that excludes it; requests nothing."""
    return await preview_auto_enrich(
        connection, tables, caller.org_id, project_id, query.reason, after=query.cursor, limit=query.limit
    )


@router.put(RULE, summary="Set a project's auto-enrich rule", responses=responses(*CALLER, 404, 413))
async def set_auto_enrich(
    project_id: ProjectId,
    body: AutoEnrichBody,
    caller: Configurer,
    connection: Transaction,
    tables: DetectedTables,
    settings: Settings,
) -> AutoEnrichView:
    """For an owner or admin, or a key with scope `config`. It enriches new leads after a scan, in jobs of 50."""
    await require_plan(connection, tables, caller.org_id, settings)
    await require_project(connection, tables, caller.org_id, project_id)
    row = await lock_settings(connection, caller.org_id)
    await write_rule(connection, row, project_id, body.rule(), caller.actor)
    return await _view(connection, caller.org_id, project_id)


@router.post("/enrichment/resume-rules", summary="Resume the rules", responses=responses(*CALLER))
async def resume_auto_enrich(caller: Configurer, connection: Transaction) -> RulesResumed:
    """For an owner or admin, after credits were added: rules were paused when Clay reported that credits are used up."""
    resumed = await resume_rules(connection, caller.org_id)
    if resumed:
        await audit(connection, caller.org_id, caller.actor, "auto_enrich.resumed")
    return RulesResumed(resumed=resumed)


async def _view(connection: AsyncConnection, org_id: UUID, project_id: UUID) -> AutoEnrichView:
    runs = [RuleRunView.of(run) for run in await read_runs(connection, org_id, project_id)]
    return AutoEnrichView.of(await read_rule(connection, org_id, project_id), runs)
