"""The HTTP endpoints `/api/clay/service-keys`: an owner lists, creates and revokes the keys of the organization."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from clay_push_service.callers.api_keys import MAX_NAME_CHARACTERS, ApiKey
from clay_push_service.callers.caller import Scope
from clay_push_service.callers.dependencies import Authorized, Eraser
from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.callers.organization_keys import (
    create_organization_key,
    list_organization_keys,
    revoke_organization_key,
)
from clay_push_service.callers.request_state import Transaction
from clay_push_service.problems import CALLER, responses

router = APIRouter(
    prefix="/api/clay/service-keys", tags=["settings"], dependencies=Authorized, route_class=GuardedRoute
)


class ServiceKeyBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "nightly", "scopes": ["read", "push"]}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)] = Field(
        description="For people: what uses the key."
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = Field(
        description="What the key may do; not `ops`."
    )


class ServiceKeyView(BaseModel):
    id: UUID = Field(description="For revoking it.")
    name: str = Field(description="What uses the key.", examples=["nightly"])
    prefix: str = Field(description="The part after `cps_` that identifies the key.", examples=["ab12cd34"])
    scopes: list[Scope] = Field(description="What the key may do.")
    is_shared: bool = Field(description="Whether it also acts for other organizations; only the operator revokes it.")
    created_at: datetime = Field(description="When it was created.")
    last_used_at: datetime | None = Field(description="Last use, to the minute; null: never.")
    revoked_at: datetime | None = Field(description="When it was revoked; null: active.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(
            id=key.id, name=key.name, prefix=key.prefix, scopes=sorted(key.scopes), is_shared=len(key.org_ids) > 1,
            created_at=key.created_at, last_used_at=key.last_used_at, revoked_at=key.revoked_at,
        )  # fmt: skip


class ServiceKeyList(BaseModel):
    keys: list[ServiceKeyView] = Field(description="Newest first, with revoked ones.")


class NewServiceKey(BaseModel):
    key: str = Field(
        description="The secret, shown only now. Send it as `Authorization: Bearer …`.", examples=["cps_…"]
    )
    view: ServiceKeyView = Field(description="As the list shows it.")


@router.get("", summary="List the service keys", responses=responses(*CALLER))
async def list_service_keys(caller: Eraser, connection: Transaction) -> ServiceKeyList:
    """For an owner. Keys that may act for this organization."""
    return ServiceKeyList(keys=[ServiceKeyView.of(key) for key in await list_organization_keys(connection, caller)])


@router.post("", status_code=201, summary="Create a service key", responses=responses(*CALLER, 413))
async def create_service_key(body: ServiceKeyBody, caller: Eraser, connection: Transaction) -> NewServiceKey:
    """For an owner. The key acts for this organization only, and never has the scope `ops`."""
    made = await create_organization_key(connection, caller, body.name, body.scopes)
    return NewServiceKey(key=made.plain, view=ServiceKeyView.of(made.key))


@router.delete("/{key_id}", status_code=204, summary="Revoke a service key", responses=responses(*CALLER, 404))
async def revoke_service_key(
    key_id: Annotated[UUID, Path(description="The key's id.")], caller: Eraser, connection: Transaction
) -> None:
    """For an owner. Requests with the key are refused at once; sessions of the console that began with it end."""
    await revoke_organization_key(connection, caller, key_id)
