"""Routes and their simulation without JavaScript: saved as through the API, errors at their place, roles, organizations."""

from collections.abc import Sequence
from urllib.parse import urlencode

import httpx

from tests.destination_settings.destination_calls import create
from tests.harness.api import Api
from tests.harness.visitor import FORM, SAME_ORIGIN, Visitor, visiting

SEGMENTS = "/console/segments"
ROUTES = "/console/routes"
PARTS = ("id", "segment_id", "destination_id", "continue", "on_move")


async def add_segment(api: Api, name: str = "Best", min_score: float = 89.75) -> str:
    body = {"name": name, "filters": {"min_score": min_score}}
    return str((await api.call("POST", "/api/clay/segments", body))["id"])


async def send(visitor: Visitor, path: str, rows: Sequence[Sequence[str]], **fields: str) -> httpx.Response:
    """Submit the list of routes with these rows."""
    pairs = [("form_token", visitor.form_token), *fields.items()]
    pairs += [(f"route_{part}", row[number]) for row in rows for number, part in enumerate(PARTS)]
    return await visitor.http.post(path, content=urlencode(pairs), headers={"Content-Type": FORM, **SAME_ORIGIN})


async def version(api: Api) -> str:
    return str((await api.call("GET", "/api/clay/routes"))["version"])


async def test_a_segment_is_deleted_unless_a_route_uses_it(api: Api, owner: Visitor) -> None:
    segment_id = await add_segment(api)
    await owner.open(f"{SEGMENTS}/{segment_id}")
    page = await owner.submit_and_follow(f"{SEGMENTS}/{segment_id}", {"name": "Best of all", "min_score": "95"})
    assert "Routes, exclusions and schedules that use it follow." in page.text
    routes = [{"segment_id": segment_id, "destination_id": None}]
    await api.call("PUT", "/api/clay/routes", {"version": await version(api), "routes": routes})
    page = await owner.submit_and_follow(f"{SEGMENTS}/{segment_id}/delete")
    assert "is used by 1 route" in page.text
    await api.call("PUT", "/api/clay/routes", {"version": await version(api), "routes": []})
    await owner.open(f"{SEGMENTS}/{segment_id}")
    assert "The segment is deleted." in (await owner.submit_and_follow(f"{SEGMENTS}/{segment_id}/delete")).text


async def test_routes_are_arranged_saved_and_simulated(api: Api, owner: Visitor) -> None:
    segment_id = await add_segment(api)
    second = str((await create(api, "Best table"))["id"])
    page = await owner.open(ROUTES)
    assert "No routes yet" in page.text
    page = await send(owner, f"{ROUTES}/draft", [], version=await version(api), action="add")
    assert "These changes are not saved yet." in page.text
    rows = [("", "", "", "", "stay"), ("", segment_id, second, "", "follow")]
    page = await send(owner, f"{ROUTES}/draft", rows, version=await version(api), action="up-1")
    assert page.text.index(f'value="{segment_id}" selected') < page.text.index("Remove route 2")
    assert (await api.call("GET", "/api/clay/routes"))["routes"] == []
    answer = await send(owner, ROUTES, rows[::-1], version=await version(api), action="save")
    assert answer.status_code == 303, answer.text
    page = await owner.open(answer.headers["location"])
    assert "2 routes saved." in page.text
    stored = (await api.call("GET", "/api/clay/routes"))["routes"]
    assert [(each["segment_id"], each["destination_id"], each["on_move"]) for each in stored] == [
        (segment_id, second, "follow"), (None, None, "stay"),
    ]  # fmt: skip
    page = await owner.open(f"{ROUTES}/simulate?what={api.project_id}")
    assert "Would be sent" not in page.text, "the page itself reads no leads"
    page = await owner.open(f"{ROUTES}/simulate?what={api.project_id}&count=true")
    assert "Route 1: " in page.text
    assert "Best table" in page.text
    assert "Would be sent" in page.text
    assert (await owner.open(f"{ROUTES}/simulate?what=91")).status_code == 422


async def test_errors_of_routes_are_shown_at_their_row(api: Api, owner: Visitor) -> None:
    await owner.open(ROUTES)
    known = await version(api)
    for row, text in (
        (("", "", "", "yes", "stay"), "cannot continue"),
        (("", "", str(api.project_id), "", "stay"), "Is not a destination of your organization."),
        (("", str(api.project_id), "", "", "stay"), "Is not a segment of your organization."),
    ):
        answer = await send(owner, ROUTES, [("", "", "", "", "stay"), row], version=known, action="save")
        assert (answer.status_code, 'id="route-1-error"' in answer.text, text in answer.text) == (422, True, True), row
    answer = await send(owner, ROUTES, [("", "", "", "", "stay")], version="old", action="save")
    assert (answer.status_code, "Nothing was saved." in answer.text) == (409, True)
    assert (await api.call("GET", "/api/clay/routes"))["routes"] == []


async def test_members_read_routes_and_other_organizations_find_none(api: Api) -> None:
    segment_id = await add_segment(api)
    routes = [{"segment_id": segment_id, "destination_id": None}]
    await api.call("PUT", "/api/clay/routes", {"version": await version(api), "routes": routes})
    async with visiting(api, "member") as member:
        for path in (SEGMENTS, f"{SEGMENTS}/{segment_id}", ROUTES, f"{ROUTES}/simulate"):
            assert (await member.open(path)).status_code == 200, path
        assert (await member.open(f"{SEGMENTS}/new")).status_code == 403
        await member.open(ROUTES)
        for path in (
            SEGMENTS,
            f"{SEGMENTS}/{segment_id}",
            f"{SEGMENTS}/{segment_id}/delete",
            ROUTES,
            f"{ROUTES}/draft",
        ):
            assert (await member.submit(path)).status_code == 403, path
    async with visiting(api, "other_owner") as other_owner:
        assert "Best" not in (await other_owner.open(ROUTES)).text
        assert "Best" not in (await other_owner.open(SEGMENTS)).text
        for path in (
            f"{SEGMENTS}/{segment_id}",
            f"{ROUTES}?project={api.project_id}",
            f"{ROUTES}/simulate?what={api.project_id}",
        ):
            assert (await other_owner.open(path)).status_code == 404, path
        await other_owner.open(ROUTES)
        for path in (f"{SEGMENTS}/{segment_id}", f"{SEGMENTS}/{segment_id}/delete"):
            assert (await other_owner.submit(path, {"name": "x"})).status_code == 404, path
        answer = await send(other_owner, ROUTES, [], version="x", project=str(api.project_id))
        assert answer.status_code == 404
