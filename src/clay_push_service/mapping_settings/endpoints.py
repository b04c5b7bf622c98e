"""The HTTP endpoints under `/api/clay/mappings`, and the mapping of a destination."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.dependencies import Authorized, Configurer, HostCache, Reader
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Clock, RequestId, Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.mapping_settings.preview import render
from clay_push_service.mapping_settings.preview_schemas import MappingPreview, MappingPreviewBody
from clay_push_service.mapping_settings.schemas import (
    ChosenMapping,
    FieldCatalogue,
    ListedMapping,
    MappingChange,
    MappingChoice,
    MappingList,
    MappingVersions,
    MappingView,
    NewMapping,
    SavedMapping,
    UsingDestination,
)
from clay_push_service.mapping_settings.service import (
    archive_mapping,
    change_mapping,
    create_mapping,
    known_fields,
    list_mappings,
    list_versions,
    require_valid,
)
from clay_push_service.mapping_settings.templates import find_template
from clay_push_service.mappings import store
from clay_push_service.mappings.assign import assign_mapping, require_mapping
from clay_push_service.problems import CALLER, responses

router = APIRouter(prefix="/api/clay", tags=["mappings"], dependencies=Authorized, route_class=GuardedRoute)

MappingId = Annotated[UUID, Path(description="The mapping.")]
BODY = [Depends(RouteLimits(BodySize.LISTS))]


@router.get("/mappings", summary="List mappings", responses=responses(*CALLER), operation_id="list_mappings")
async def get_mappings(caller: Reader, connection: Transaction) -> MappingList:
    """Which columns Clay tables receive. A destination without a mapping receives the standard payload."""
    used = await store.read_used_by(connection, caller.org_id)
    found = await list_mappings(connection, caller.org_id)
    return MappingList(
        mappings=[
            ListedMapping(
                **dict(MappingView.of(each)),
                used_by=[UsingDestination.of(one) for one in used if one.mapping_id == each.id],
            )
            for each in found
        ]
    )


@router.post(
    "/mappings", status_code=201, summary="Create a mapping", responses=responses(*CALLER, 404, 409, 413),
    operation_id="create_mapping", dependencies=BODY,
)  # fmt: skip
async def post_mapping(
    body: NewMapping, caller: Configurer, connection: Transaction, request_id: RequestId
) -> SavedMapping:
    """Requires an owner or admin, or a key with scope `config`. No destination uses it yet."""
    template = None if body.template is None else await find_template(connection, caller.org_id, body.template)
    columns = [each.column() for each in body.columns or ()]
    if body.columns is None:
        columns = list(STANDARD if template is None else template.template.columns)
    name = None if template is None else template.template.name
    return SavedMapping.of_result(
        await create_mapping(connection, actor_of(caller, request_id), body.name, columns, name)
    )


@router.get("/mappings/fields", summary="List the fields and steps of columns", responses=responses(*CALLER))
async def list_mapping_fields(caller: Reader, connection: Transaction) -> FieldCatalogue:
    """All fields and steps that a column can use, with the custom fields of your organization."""
    return FieldCatalogue.of(await known_fields(connection, caller.org_id))


@router.post(
    "/mappings/preview", summary="Render leads with a mapping", responses=responses(*CALLER, 404, 413),
    dependencies=[Depends(RouteLimits(BodySize.LISTS, lane=Lane.COSTLY))],
)  # fmt: skip
async def preview_mapping(
    body: MappingPreviewBody, caller: Reader, connection: Transaction, host: HostCache, clock: Clock
) -> MappingPreview:
    """Up to five real leads, with sizes and warnings. Nothing is stored or sent."""
    if body.mapping_id is not None:
        columns = (await require_mapping(connection, caller.org_id, body.mapping_id)).parsed
    else:
        columns = list(STANDARD) if body.columns is None else [each.column() for each in body.columns]
        await require_valid(connection, caller.org_id, columns)
    tables = await host.tables(connection)
    rendered = await render(connection, tables, caller.org_id, columns, body.project_id, body.lead_ids, clock.now())
    return MappingPreview.of([each.key for each in columns], rendered)


@router.get(
    "/mappings/{mapping_id}",
    summary="Get a mapping",
    responses=responses(*CALLER, 404),
    operation_id="get_mapping",
)
async def read_mapping(mapping_id: MappingId, caller: Reader, connection: Transaction) -> ListedMapping:
    """Returns the newest version."""
    found = await require_mapping(connection, caller.org_id, mapping_id)
    used = [each for each in await store.read_used_by(connection, caller.org_id) if each.mapping_id == mapping_id]
    return ListedMapping(**dict(MappingView.of(found)), used_by=[UsingDestination.of(each) for each in used])


@router.put(
    "/mappings/{mapping_id}", summary="Save a new version of a mapping", responses=responses(*CALLER, 404, 409, 413),
    operation_id="change_mapping", dependencies=BODY,
)  # fmt: skip
async def put_mapping(
    mapping_id: MappingId, body: MappingChange, caller: Configurer, connection: Transaction, request_id: RequestId
) -> SavedMapping:
    """Requires an owner or admin, or a key with scope `config`. Its destinations use the new version for pushes from now on.

    The response lists what to do in Clay, and what does not change.
    """
    name = body.name or (await require_mapping(connection, caller.org_id, mapping_id)).name
    columns = [each.column() for each in body.columns]
    actor = actor_of(caller, request_id)
    return SavedMapping.of_result(await change_mapping(connection, actor, mapping_id, name, columns, body.version))


@router.delete(
    "/mappings/{mapping_id}", status_code=204, summary="Archive a mapping", responses=responses(*CALLER, 404, 409),
    operation_id="archive_mapping",
)  # fmt: skip
async def delete_mapping(
    mapping_id: MappingId, caller: Configurer, connection: Transaction, request_id: RequestId
) -> None:
    """Requires an owner or admin, or a key with scope `config`. Its versions stay: push jobs name them.

    Refused with 409 while destinations use it; the response names them.
    """
    await archive_mapping(connection, actor_of(caller, request_id), mapping_id)


@router.get(
    "/mappings/{mapping_id}/versions", summary="List the versions of a mapping", responses=responses(*CALLER, 404)
)
async def list_mapping_versions(mapping_id: MappingId, caller: Reader, connection: Transaction) -> MappingVersions:
    """Returns the versions, also of an archived mapping. A version never changes."""
    found = await list_versions(connection, caller.org_id, mapping_id)
    return MappingVersions(versions=[MappingView.of(each) for each in found])


@router.put(
    "/destinations/{destination_id}/mapping", summary="Choose the mapping of a destination",
    responses=responses(*CALLER, 404, 409, 413), operation_id="choose_mapping",
)  # fmt: skip
async def put_mapping_of_destination(
    destination_id: Annotated[UUID, Path(description="The destination.")],
    body: MappingChoice,
    caller: Configurer,
    connection: Transaction,
    request_id: RequestId,
) -> ChosenMapping:
    """Requires an owner or admin, or a key with scope `config`. Push jobs that were accepted before keep their columns."""
    return ChosenMapping.of(
        await assign_mapping(connection, actor_of(caller, request_id), destination_id, body.mapping_id)
    )
