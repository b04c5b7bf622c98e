"""The HTTP endpoints under `/api/clay/projects/{id}/auto-export`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from clay_push_service.automation.preview import preview_rule
from clay_push_service.automation.rule import read_rule, write_rule
from clay_push_service.automation.run import RunOutcome, run_rule
from clay_push_service.automation.schemas import PreviewQuery, RuleBody, RulePreview, RuleView, RunAnswer, RunBody
from clay_push_service.callers.caller import Scope
from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.dependencies import PushAccess, ReadAccess, push_service_with
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.selection import require_project

router = APIRouter(
    prefix="/api/clay/projects/{project_id}/auto-export",
    tags=["auto-export"],
    dependencies=Authorized,
    route_class=GuardedRoute,
)

ProjectId = Annotated[UUID, Path(description="The project.")]
NO_SCAN = RunBody()
RuleService = Annotated[PushService, Depends(push_service_with(Scope.CONFIG))]


@router.get("", summary="Get a project's auto-export rule", responses=responses(*CALLER, 404))
async def get_auto_export(project_id: ProjectId, service: ReadAccess) -> RuleView:
    """A project without a rule has auto-export off."""
    await require_project(service.connection, service.tables, service.actor.org_id, project_id)
    stored = await read_rule(service.connection, service.tables, service.actor.org_id, project_id)
    return RuleView.of(project_id, stored)


@router.put(
    "", summary="Set a project's auto-export rule", responses=responses(*CALLER, 404, 413),
    dependencies=[Depends(RouteLimits(BodySize.LISTS))],
)  # fmt: skip
async def set_auto_export(project_id: ProjectId, body: RuleBody, service: RuleService) -> RuleView:
    """Requires an owner or admin, or a key with scope `config`. Replaces the whole rule; stored in NexusLeads' columns if permitted."""
    actor = service.actor
    await require_project(service.connection, service.tables, actor.org_id, project_id)
    stored = await write_rule(service.connection, service.tables, actor.org_id, project_id, body.rule(), actor.name)
    return RuleView.of(project_id, stored)


@router.get(
    "/preview",
    summary="Preview the rule",
    responses=responses(*CALLER, 404),
    dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))],
)
async def preview_auto_export(
    project_id: ProjectId, service: ReadAccess, query: Annotated[PreviewQuery, Query()]
) -> RulePreview:  # fmt: skip
    """All leads of the project, each with the clause that excludes it; queues nothing."""
    return await preview_rule(service, project_id, after=query.cursor, limit=query.limit)


@router.post(
    "/run", summary="Run the rule after a scan",
    responses={202: {"model": RunAnswer, "description": "A push job was queued."}, **responses(*CALLER, 404, 409, 413)},
    dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))],
)  # fmt: skip
async def run_auto_export(
    project_id: ProjectId, service: PushAccess, response: Response, body: Annotated[RunBody, Body()] = NO_SCAN
) -> RunAnswer:
    """Push the new leads that pass the rule. Returns 200 with the reason if nothing was queued."""
    result = await run_rule(
        service.connection, service.tables, service.actor, project_id, body.source_job_id, service.settings
    )
    response.status_code = 202 if result.outcome is RunOutcome.QUEUED else 200
    return RunAnswer.of(result)
