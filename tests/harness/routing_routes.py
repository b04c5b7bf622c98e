"""The routes of the API for segments and routes as calls with valid arguments, for `routes`."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from clay_push_service.callers.caller import Scope
from clay_push_service.routing.routes import list_version


class AddRoute(Protocol):
    def __call__(
        self,
        name: str,
        method: str,
        template: str,
        scope: Scope | None,
        *,
        body: Mapping[str, object] | None = None,
        foreign: Sequence[Mapping[str, object]] = (),
        documented: str | None = None,
    ) -> None: ...


def add_routing(add: AddRoute, project: str, others_project: str, others_segment: UUID) -> None:
    segments = "/api/clay/segments"
    saved = {"name": "Best", "filters": {"min_score": 80}}
    add("list_segments", "GET", segments, Scope.READ)
    add("create_segment", "POST", segments, Scope.CONFIG, body=saved)
    add("preview_segment", "POST", "/api/clay/segment-preview", Scope.READ, body={"filters": {}, "project_id": project},
        foreign=[{"filters": {}, "project_id": others_project}, {"segment_id": str(others_segment)}])  # fmt: skip
    one = segments + "/{segment_id}"
    add("get_segment", "GET", one, Scope.READ)
    add("change_segment", "PUT", one, Scope.CONFIG, body=saved)
    add("delete_segment", "DELETE", one, Scope.CONFIG)
    listed = "/api/clay/routes"
    add("get_routes", "GET", listed, Scope.READ)
    change = {"version": list_version([]), "routes": [{"destination_id": None}]}
    add("replace_routes", "PUT", listed, Scope.CONFIG, body=change, foreign=[change | {"project_id": others_project}])
    add("simulate_routes", "POST", f"{listed}/simulate", Scope.READ, body={"project_id": project},
        foreign=[{"project_id": others_project}])  # fmt: skip
