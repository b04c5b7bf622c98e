"""Segments without JavaScript: counted and saved as through the API, errors beside fields, roles and organizations."""

from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

SEGMENTS = "/console/segments"


async def add_segment(api: Api, name: str = "Best", min_score: float = 89.75) -> str:
    body = {"name": name, "filters": {"min_score": min_score}}
    return str((await api.call("POST", "/api/clay/segments", body))["id"])


async def test_a_segment_is_counted_before_it_is_saved(api: Api, owner: Visitor) -> None:
    await owner.open(f"{SEGMENTS}/new?min_score=89.75")
    fields = {"min_score": "89.75", "action": "count"}
    counted = await owner.submit(SEGMENTS, fields)
    assert (counted.status_code, "3 leads match now" in counted.text) == (200, True)
    assert (await api.call("GET", "/api/clay/segments"))["segments"] == []
    fields = {"name": "Лучшие", "min_score": "89.75", "exclude_companies": "Acme, Initech", "qualified_only": "1"}
    page = await owner.submit_and_follow(SEGMENTS, fields)
    assert "The segment “Лучшие” is saved." in page.text
    stored = (await api.call("GET", "/api/clay/segments"))["segments"][0]["filters"]
    assert (stored["min_score"], stored["exclude_companies"], stored["qualified_only"]) == (
        89.75,
        ["Acme", "Initech"],
        True,
    )
    page = await owner.open(SEGMENTS)
    assert "Not these companies: Acme, Initech" in page.text


async def test_errors_of_a_segment_are_shown_beside_their_fields(api: Api, owner: Visitor) -> None:
    await add_segment(api)
    await owner.open(f"{SEGMENTS}/new")
    for fields, field in (
        ({"name": "Best"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "min_score": "high"}, "min_score"),
        ({"name": "x", "max_score": "101"}, "max_score"),
        ({"name": "x", "min_score": "50", "max_score": "40"}, "min_score"),
        ({"name": "x", "enrichment": "sometimes"}, "enrichment"),
    ):
        answer = await owner.submit(SEGMENTS, fields)
        assert answer.status_code in {409, 422}, fields
        assert f'id="{field}-error"' in answer.text, fields
    assert len((await api.call("GET", "/api/clay/segments"))["segments"]) == 1


async def test_a_changed_segment_is_saved_and_deleted(api: Api, owner: Visitor) -> None:
    segment_id = await add_segment(api)
    await owner.open(f"{SEGMENTS}/{segment_id}")
    page = await owner.submit_and_follow(f"{SEGMENTS}/{segment_id}", {"name": "Best of all", "min_score": "95"})
    assert "Routes, exclusions and schedules that use it follow." in page.text
    await api.call("POST", "/api/clay/exclusions", {"segment_id": segment_id, "reason": "customers"})
    page = await owner.submit_and_follow(f"{SEGMENTS}/{segment_id}/delete")
    assert "is used by 1 exclusion" in page.text
    other = await add_segment(api, "Other")
    await owner.open(f"{SEGMENTS}/{other}")
    assert "The segment is deleted." in (await owner.submit_and_follow(f"{SEGMENTS}/{other}/delete")).text


async def test_members_read_segments_and_other_organizations_find_none(api: Api) -> None:
    segment_id = await add_segment(api)
    paths = (SEGMENTS, f"{SEGMENTS}/{segment_id}", f"{SEGMENTS}/{segment_id}/delete")
    async with visiting(api, "member") as member:
        for path in (SEGMENTS, f"{SEGMENTS}/{segment_id}"):
            assert (await member.open(path)).status_code == 200, path
        assert (await member.open(f"{SEGMENTS}/new")).status_code == 403
        await member.open(SEGMENTS)
        for path in paths:
            assert (await member.submit(path, {"name": "x"})).status_code == 403, path
    async with visiting(api, "other_owner") as other_owner:
        assert "Best" not in (await other_owner.open(SEGMENTS)).text
        assert (await other_owner.open(f"{SEGMENTS}/{segment_id}")).status_code == 404
        await other_owner.open(SEGMENTS)
        for path in paths[1:]:
            assert (await other_owner.submit(path, {"name": "x"})).status_code == 404, path
