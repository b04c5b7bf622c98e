"""The routes of schedules, for `routes`."""

from typing import Final

from clay_push_service.callers.caller import Scope
from tests.harness.routing_routes import AddRoute

SCHEDULES: Final = "/api/clay/schedules"


def schedule_body(project_id: str) -> dict[str, object]:
    return {"name": "Morning", "project_id": project_id, "kind": "daily", "at": "09:00", "time_zone": "Europe/Berlin"}


def add_schedules(add: AddRoute, project: str, others_project: str) -> None:
    own, foreign, one = schedule_body(project), [schedule_body(others_project)], f"{SCHEDULES}/{{schedule_id}}"
    add("list_schedules", "GET", SCHEDULES, Scope.READ)
    add("create_schedule", "POST", SCHEDULES, Scope.CONFIG, body=own, foreign=foreign)
    add("preview_new_schedule", "POST", f"{SCHEDULES}/preview", Scope.READ, body=own, foreign=foreign)
    add("get_schedule", "GET", one, Scope.READ)
    add("list_schedule_runs", "GET", f"{one}/runs", Scope.READ)
    add("preview_schedule", "POST", f"{one}/preview", Scope.READ)
    add("replace_schedule", "PUT", one, Scope.CONFIG, body=own, foreign=foreign)
    add("pause_schedule", "POST", f"{one}/pause", Scope.CONFIG)
    add("resume_schedule", "POST", f"{one}/resume", Scope.CONFIG)
    add("run_schedule_now", "POST", f"{one}/run", Scope.PUSH)
    add("delete_schedule", "DELETE", one, Scope.CONFIG)
