"""The request and response models of routes."""

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clay_push_service.routing.routes import MAX_ROUTES, MovePolicy, NewRoute, StoredRoute, list_version


class RouteBody(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_by_name=False)

    id: UUID | None = Field(None, description="Of an existing route of this list; omitted: a new one.")
    segment_id: UUID | None = Field(None, description="The leads that it matches; null: every lead.")
    destination_id: UUID | None = Field(None, description="The destination that they go to; null: do not push them.")
    continues: bool = Field(
        False,
        alias="continue",
        description="Also apply the routes after it: the leads can go to further destinations, and each is billed by Clay.",
    )
    on_move: MovePolicy = Field(
        MovePolicy.STAY,
        description="Automatic pushes: `stay` skips a lead that is in any table already, `follow` only one that is in this table.",
    )

    @model_validator(mode="after")
    def _stop_without_destination(self) -> Self:
        if self.continues and self.destination_id is None:
            raise ValueError("a route without a destination cannot continue: its leads are not pushed")
        return self

    def route(self) -> NewRoute:
        return NewRoute(self.id, self.segment_id, self.destination_id, self.continues, self.on_move)


class RoutesBody(BaseModel):
    """A whole list, in its order. An empty list removes it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"version": "4f53cda18c2baa0c", "routes": [{"segment_id": None, "destination_id": None}]}]
        },
    )

    project_id: UUID | None = Field(
        None, description="The project whose own list it is; null: the organization's list."
    )
    version: str = Field(
        max_length=64, description="The `version` that you read; another one returns 409 `routes_changed`."
    )
    routes: Annotated[list[RouteBody], Field(max_length=MAX_ROUTES, fail_fast=True)] = Field(
        description="The first route that matches a lead decides."
    )

    @model_validator(mode="after")
    def _require_distinct_ids(self) -> Self:
        ids = [each.id for each in self.routes if each.id is not None]
        if len(set(ids)) < len(ids):
            raise ValueError("routes has the same id twice")
        return self


class RouteView(BaseModel):
    id: UUID = Field(description="Id of the route; deliveries keep it.")
    position: int = Field(description="From 1.", examples=[1])
    segment_id: UUID | None = Field(description="The leads that it matches; null: every lead.")
    segment_name: str | None = Field(description="Name of the segment.", examples=["Founders"])
    segment_emptied: bool = Field(
        description="An erasure emptied the segment: it matches no lead until it is saved again."
    )
    destination_id: UUID | None = Field(description="Where they go; null: they are not pushed.")
    destination_name: str | None = Field(description="Name of the destination.", examples=["Founders"])
    continues: bool = Field(serialization_alias="continue", description="Whether later routes are applied as well.")
    on_move: MovePolicy = Field(description="For automatic pushes: `stay` or `follow`.")

    @classmethod
    def of(cls, route: StoredRoute) -> Self:
        return cls(
            id=route.id,
            position=route.position,
            segment_id=route.segment_id,
            segment_name=route.segment_name,
            segment_emptied=route.is_emptied,
            destination_id=route.destination_id,
            destination_name=route.destination_name,
            continues=route.continues,
            on_move=MovePolicy(route.on_move),
        )


class RouteList(BaseModel):
    project_id: UUID | None = Field(description="The project whose own list it is; null: the organization's.")
    version: str = Field(description="Send it with a change.", examples=["4f53cda18c2baa0c"])
    routes: list[RouteView] = Field(
        description="In their order. An empty list of a project means that the organization's list applies; an empty list of the"
        " organization means that pushes go to the default destination."
    )

    @classmethod
    def of(cls, project_id: UUID | None, stored: Sequence[StoredRoute]) -> Self:
        project_routes = [each for each in stored if each.project_id == project_id]
        return cls(
            project_id=project_id,
            version=list_version(project_routes),
            routes=[RouteView.of(each) for each in project_routes],
        )
