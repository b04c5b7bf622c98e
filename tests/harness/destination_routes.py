"""The routes of destinations and workspaces as calls with valid arguments, for `routes`."""

from clay_push_service.callers.caller import Scope
from tests.harness.api import OTHER_WEBHOOK
from tests.harness.routing_routes import AddRoute


def add_destinations(add: AddRoute, others_workspace: str, others_mapping: str) -> None:
    path = "/api/clay/destinations"
    body = {"name": "Another", "webhook_url": OTHER_WEBHOOK.replace("7c9e", "8d0f")}
    add("list_destinations", "GET", path, Scope.READ)
    add(
        "create_destination",
        "POST",
        path,
        Scope.CONFIG,
        body=body,
        foreign=[body | {"workspace_id": others_workspace}, body | {"mapping_id": others_mapping}],
    )
    one = path + "/{destination_id}"
    add("get_destination", "GET", one, Scope.READ)
    add(
        "change_destination",
        "PUT",
        one,
        Scope.CONFIG,
        body={"name": "Renamed"},
        foreign=[{"workspace_id": others_workspace}, {"mapping_id": others_mapping}],
    )
    add("archive_destination", "DELETE", one, Scope.CONFIG)
    add("check_destination", "POST", f"{one}/test", Scope.CONFIG)
    add("declare_new_table_of_destination", "POST", f"{one}/new-table", Scope.CONFIG, body={"version": 1})
    workspaces = "/api/clay/workspaces"
    add("list_workspaces", "GET", workspaces, Scope.READ)
    add("create_workspace", "POST", workspaces, Scope.CONFIG, body={"name": "Another"})
    add("change_workspace", "PUT", workspaces + "/{workspace_id}", Scope.CONFIG, body={"name": "Renamed"})
