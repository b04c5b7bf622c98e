"""Calls that make Clay tables, segments and routes over HTTP, and read where leads went."""

from typing import Any
from uuid import UUID

from tests.harness.api import Api

ROUTES = "/api/clay/routes"


async def add_table(api: Api, name: str) -> str:
    body = {"name": name, "webhook_url": f"{api.receiver.url}-{name}"}
    return str((await api.call("POST", "/api/clay/destinations", body))["id"])


async def save_segment(api: Api, name: str, **filters: object) -> str:
    return str((await api.call("POST", "/api/clay/segments", {"name": name, "filters": filters}))["id"])


async def set_routes(api: Api, *routes: dict[str, object], project_id: UUID | None = None, status: int = 200) -> Any:
    query = "" if project_id is None else f"?project_id={project_id}"
    version = (await api.call("GET", ROUTES + query))["version"]
    body = {"version": version, "routes": list(routes), "project_id": None if project_id is None else str(project_id)}
    return await api.call("PUT", ROUTES, body, status=status)


def send_to(table: str | None, segment: str | None = None, **more: object) -> dict[str, object]:
    return {"segment_id": segment, "destination_id": table, **more}


async def set_scores(api: Api, *values: float) -> None:
    lead = api.host.name("lead_id")
    for lead_id, value in zip(api.lead_ids, values, strict=True):
        await api.host.connection.execute(
            f"UPDATE lead_scores SET overall_score = $2 WHERE {lead} = $1", lead_id, value
        )


async def rows(api: Api) -> set[tuple[str, str, str | None, str | None]]:
    """Each delivery: the index of its lead, its table, its cause and its route."""
    found = await api.installation.fetch(
        "SELECT contributor_id, destination.name, cause, route_id FROM clay.clay_push_log AS log"
        " JOIN clay.destinations AS destination ON destination.id = log.destination_id"
    )
    index = {lead_id: str(number) for number, lead_id in enumerate(api.lead_ids)}
    return {(index[each.contributor_id], each.name, each.cause, str(each.route_id)) for each in found}


async def placed(api: Api) -> set[tuple[str, str]]:
    """Lead and table of the deliveries that are not skipped."""
    return {(lead, table) for lead, table, cause, _ in await rows(api) if cause is None}
