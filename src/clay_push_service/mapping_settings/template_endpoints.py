"""The HTTP endpoints under `/api/clay/templates`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.dependencies import Authorized, Configurer, Reader
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import RequestId, Transaction
from clay_push_service.mapping_settings.template_schemas import TableTemplateBody, TableTemplateList, TableTemplateView
from clay_push_service.mapping_settings.templates import list_templates, remove_template, save_template
from clay_push_service.mappings.assign import require_mapping
from clay_push_service.problems import CALLER, responses

router = APIRouter(prefix="/api/clay/templates", tags=["mappings"], dependencies=Authorized, route_class=GuardedRoute)


@router.get("", summary="List table templates", responses=responses(*CALLER), operation_id="list_templates")
async def get_templates(caller: Reader, connection: Transaction) -> TableTemplateList:
    """Five built-in ones and your own: columns, the column that removes duplicates, and what to do in Clay, with texts to copy."""
    found = await list_templates(connection, caller.org_id)
    return TableTemplateList(templates=[TableTemplateView.of(each) for each in found])


@router.post(
    "", status_code=201, summary="Save a table template", responses=responses(*CALLER, 404, 409, 413),
    operation_id="save_template", dependencies=[Depends(RouteLimits(BodySize.LISTS))],
)  # fmt: skip
async def post_template(
    body: TableTemplateBody, caller: Configurer, connection: Transaction, request_id: RequestId
) -> TableTemplateView:
    """Requires an owner or admin, or a key with scope `config`. `columns` of an exported template imports it."""
    if body.mapping_id is not None:
        columns = (await require_mapping(connection, caller.org_id, body.mapping_id)).parsed
    else:
        columns = [each.column() for each in body.columns or ()]
    actor = actor_of(caller, request_id)
    return TableTemplateView.of(
        await save_template(connection, actor, body.name, body.about, columns, body.dedupe_column)
    )


@router.delete(
    "/{template_id}", status_code=204, summary="Remove a table template", responses=responses(*CALLER, 404),
    operation_id="remove_template",
)  # fmt: skip
async def delete_template(
    template_id: Annotated[UUID, Path(description="Id of your own template.")],
    caller: Configurer,
    connection: Transaction,
    request_id: RequestId,
) -> None:
    """Requires an owner or admin, or a key with scope `config`. Mappings that are based on it stay."""
    await remove_template(connection, actor_of(caller, request_id), template_id)
