"""The routes of mappings and table templates, for `routes`."""

from collections.abc import Sequence
from uuid import UUID

from clay_push_service.callers.caller import Scope
from tests.harness.routing_routes import AddRoute


def add_mappings(
    add: AddRoute, others_mapping: UUID, others_template: UUID, leads: Sequence[str], mapping_id: UUID
) -> None:
    """`leads`: our own lead and another organization's."""
    mappings, mapping = "/api/clay/mappings", "/api/clay/mappings/{mapping_id}"
    columns = {"columns": [{"key": "name", "field": "full_name"}]}
    add("list_mappings", "GET", mappings, Scope.READ)
    add("create_mapping", "POST", mappings, Scope.CONFIG, body={"name": "Ours", **columns},
        foreign=[{"name": "Ours", "template": str(others_template)}])  # fmt: skip
    add("list_mapping_fields", "GET", f"{mappings}/fields", Scope.READ)
    add("preview_mapping", "POST", f"{mappings}/preview", Scope.READ, body={"mapping_id": str(mapping_id)},
        foreign=[{"mapping_id": str(others_mapping)}, {**columns, "lead_ids": leads[1:]},
                 {**columns, "lead_ids": leads}])  # fmt: skip
    add("get_mapping", "GET", mapping, Scope.READ)
    add("change_mapping", "PUT", mapping, Scope.CONFIG, body=columns)
    add("archive_mapping", "DELETE", mapping, Scope.CONFIG)
    add("list_mapping_versions", "GET", f"{mapping}/versions", Scope.READ)
    add("choose_mapping", "PUT", "/api/clay/destinations/{destination_id}/mapping", Scope.CONFIG,
        body={"mapping_id": None}, foreign=[{"mapping_id": str(others_mapping)}])  # fmt: skip
    add("list_templates", "GET", "/api/clay/templates", Scope.READ)
    add("save_template", "POST", "/api/clay/templates", Scope.CONFIG, body={"name": "Template", **columns},
        foreign=[{"name": "Template", "mapping_id": str(others_mapping)}])  # fmt: skip
    add("remove_template", "DELETE", "/api/clay/templates/{template_id}", Scope.CONFIG)
