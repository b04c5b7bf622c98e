"""Routes over HTTP: a list is read and replaced as a whole, with a version, and each error names its field."""

from typing import Any
from uuid import uuid4

import pytest

from clay_push_service.database.statement import Statement
from tests.harness.api import Api, run_api_with_leads
from tests.routing.routed import ROUTES, add_table, save_segment, send_to, set_routes


async def test_a_list_is_replaced_in_its_order_and_keeps_the_ids_of_its_routes(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        first, second = await add_table(api, "first"), await add_table(api, "second")
        best = await save_segment(api, "Best", min_score=80)
        made = await set_routes(api, {**send_to(first, best), "continue": True}, send_to(second, on_move="follow"))
        shown = [(each["position"], each["segment_name"], each["destination_name"], each["continue"], each["on_move"])
                 for each in made["routes"]]  # fmt: skip
        assert shown == [(1, "Best", "first", True, "stay"), (2, None, "second", False, "follow")]
        assert await api.call("GET", ROUTES) == made
        one, two = made["routes"]
        swapped = await set_routes(api, {**send_to(second), "id": two["id"]}, {**send_to(first, best), "id": one["id"]})
        assert [each["id"] for each in swapped["routes"]] == [two["id"], one["id"]]
        assert swapped["version"] != made["version"]
        segment = await api.call("GET", f"/api/clay/segments/{best}")
        assert [(each["kind"], each["id"]) for each in segment["uses"]] == [("route", one["id"])]
        problem = await api.call("DELETE", f"/api/clay/destinations/{first}", status=409)
        assert "route 2" in problem["detail"]
        assert (await set_routes(api))["routes"] == []


async def test_a_lost_update_is_refused(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        table = await add_table(api, "first")
        read = await api.call("GET", ROUTES)
        await set_routes(api, send_to(table))
        late = {"version": read["version"], "routes": []}
        assert (await api.call("PUT", ROUTES, late, status=409))["code"] == "routes_changed"
        assert len((await api.call("GET", ROUTES))["routes"]) == 1


@pytest.mark.parametrize("place", ["segment_id", "destination_id", "id"])
async def test_an_id_of_another_organization_is_named_and_nothing_is_saved(database_url: str, place: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        table = await add_table(api, "first")
        await set_routes(api, send_to(table))
        before = await api.call("GET", ROUTES)
        made = await api.call("POST", "/api/clay/segments", {"name": "Theirs", "filters": {}}, who="other_owner")
        webhook = {"name": "Theirs", "webhook_url": f"{api.receiver.url}-theirs"}
        theirs = await api.call("POST", "/api/clay/destinations", webhook, who="other_owner")
        body: dict[str, Any] = {"version": (await api.call("GET", ROUTES, who="other_owner"))["version"]}
        route = {"destination_id": theirs["id"]}
        listed = await api.call("PUT", ROUTES, body | {"routes": [route]}, who="other_owner")
        ids = {"segment_id": made["id"], "destination_id": theirs["id"], "id": listed["routes"][0]["id"]}
        problem = await set_routes(api, send_to(table), {**send_to(table), place: ids[place]}, status=422)
        assert [each["field"] for each in problem["errors"]] == [f"routes.1.{place}"]
        assert await api.call("GET", ROUTES) == before


async def test_the_database_refuses_a_route_to_another_organizations_destination(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        webhook = {"name": "Theirs", "webhook_url": f"{api.receiver.url}-theirs"}
        theirs = await api.call("POST", "/api/clay/destinations", webhook, who="other_owner")
        add = Statement(
            "INSERT INTO clay.routes (id, org_id, position, destination_id, created_by) VALUES (:id, :org_id, 1, :to, 'test')"
        )
        with pytest.raises(Exception, match="routes_destination_fk"):
            async with api.installation.owner.transaction() as connection:
                await add.execute(connection, {"id": uuid4(), "org_id": api.org_id, "to": theirs["id"]})


@pytest.mark.parametrize(
    ("route", "field"),
    [
        ({"destination_id": None, "continue": True}, "routes.0"),
        ({"destination": None}, "routes.0.destination"),
        ({"on_move": "swap"}, "routes.0.on_move"),
    ],
)
async def test_an_invalid_route_is_refused_with_its_place(database_url: str, route: object, field: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        version = (await api.call("GET", ROUTES))["version"]
        problem = await api.call("PUT", ROUTES, {"version": version, "routes": [route]}, status=422)
        assert [each["field"] for each in problem["errors"]] == [field]


async def test_an_organization_has_at_most_100_routes_in_all_lists(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await set_routes(api, *[send_to(None)] * 60)
        problem = await set_routes(api, *[send_to(None)] * 41, project_id=api.project_id, status=422)
        assert problem["code"] == "too_many_routes"
        await set_routes(api, *[send_to(None)] * 40, project_id=api.project_id)
        assert await _actions(api) == ["routes.changed", "routes.changed"]


async def _actions(api: Api) -> list[str]:
    found = await api.installation.fetch("SELECT action FROM clay.audit_log WHERE action = 'routes.changed'")
    return [each.action for each in found]
