"""Segments: saved filters, their counts, and the leads that an excluded segment keeps from Clay."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.invariants import verify
from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.routing.segments import MAX_SEGMENTS
from tests.harness.api import Api, run_api_with_leads

PATH = "/api/clay/segments"


async def save(api: Api, name: str = "Founders", **filters: object) -> Any:
    return await api.call("POST", PATH, {"name": name, "filters": filters})


async def score(api: Api, lead_id: UUID, value: float) -> None:
    lead = api.host.name("lead_id")
    await api.host.connection.execute(f"UPDATE lead_scores SET overall_score = $2 WHERE {lead} = $1", lead_id, value)


async def score_all(api: Api, *values: float) -> None:
    for lead_id, value in zip(api.lead_ids, values, strict=True):
        await score(api, lead_id, value)


async def actions(api: Api) -> list[str]:
    rows = await api.installation.fetch("SELECT action FROM clay.audit_log ORDER BY id")
    return [row.action for row in rows if row.action.startswith(("segment", "exclusion", "routes"))]


async def test_a_segment_is_saved_listed_changed_and_deleted(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await save(api, "Others")
        made = await save(api, "  Founders ", min_score=80, companies=["Acme"])
        assert (made["name"], made["uses"], made["emptied_at"]) == ("Founders", [], None)
        found = await api.call("GET", PATH)
        assert [each["name"] for each in found["segments"]] == ["Founders", "Others"]
        assert found["segments"][0] == made == await api.call("GET", f"{PATH}/{made['id']}")
        changed = await api.call(
            "PUT", f"{PATH}/{made['id']}", {"name": "Founders", "filters": {"priorities": ["high"]}}
        )
        assert (changed["filters"]["priorities"], changed["filters"]["min_score"]) == (["high"], None)
        assert (await api.send("DELETE", f"{PATH}/{made['id']}", "owner")).status_code == 204
        problem = await api.call("GET", f"{PATH}/{made['id']}", status=404)
        assert problem["code"] == "segment_not_found"
        assert await actions(api) == ["segment.created", "segment.created", "segment.changed", "segment.deleted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "filters": {}}, "name"),
        ({"name": "a\nb", "filters": {}}, "name"),
        ({"name": "x" * 101, "filters": {}}, "name"),
        ({"name": "Best"}, "filters"),
        ({"name": "Best", "filters": {"score": 80}}, "filters.score"),
        ({"name": "Best", "filters": {"min_score": 80, "max_score": 10}}, "filters"),
        ({"name": "Best", "filters": {}, "expression": "score > 3"}, "expression"),
    ],
)
async def test_an_invalid_segment_is_refused_with_its_place(database_url: str, body: object, field: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        problem = await api.call("POST", PATH, body, status=422)
        assert [each["field"] for each in problem["errors"]] == [field]
        assert (await api.call("GET", PATH))["segments"] == []


async def test_a_name_is_unique_in_the_organization(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        first, second = await save(api, "Best"), await save(api, "Other")
        assert (await api.call("POST", PATH, {"name": "Best", "filters": {}}, status=409))[
            "code"
        ] == "segment_name_taken"
        body = {"name": "Best", "filters": {}}
        assert (await api.call("PUT", f"{PATH}/{second['id']}", body, status=409))["code"] == "segment_name_taken"
        await api.call("PUT", f"{PATH}/{first['id']}", body)
        await api.call("POST", PATH, body, who="other_owner")


async def test_an_organization_has_at_most_200_segments(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        await api.installation.fetch(
            "INSERT INTO clay.segments (id, org_id, name, filters, created_by, updated_by)"
            " SELECT gen_random_uuid(), :org_id, 'Segment ' || n, '{}', 'test', 'test' FROM generate_series(1, :count) AS n",
            org_id=api.org_id, count=MAX_SEGMENTS,
        )  # fmt: skip
        problem = await api.call("POST", PATH, {"name": "One more", "filters": {}}, status=422)
        assert problem["code"] == "too_many_segments"


async def test_the_preview_counts_by_project(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=4) as api:
        await score_all(api, 90, 85, 20, 10)
        other = await api.host.project(api.org_id, "Other project")
        await api.host.scored(api.lead_ids[0], other, score=10)
        made = await save(api, min_score=80)
        seen = await api.call("POST", "/api/clay/segment-preview", {"segment_id": made["id"]})
        assert seen == await api.call("POST", "/api/clay/segment-preview", {"filters": {"min_score": 80}}, who="member")
        counts = [(each["project_id"], each["lead_count"], each["all_leads"]) for each in seen["projects"]]
        assert (seen["lead_count"], counts) == (2, [(str(api.project_id), 2, 4), (str(other), 0, 1)])
        one = await api.call("POST", "/api/clay/segment-preview", {"segment_id": made["id"], "project_id": str(other)})
        assert (one["lead_count"], len(one["projects"])) == (0, 1)
        for body in ({}, {"segment_id": made["id"], "filters": {}}):
            assert (await api.call("POST", "/api/clay/segment-preview", body, status=422))["code"] == "invalid_request"
        unknown = {"segment_id": str(uuid4())}
        assert (await api.call("POST", "/api/clay/segment-preview", unknown, status=404))["code"] == "segment_not_found"


async def test_an_excluded_segment_keeps_its_leads_from_clay_even_if_they_are_pushed_again(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await score_all(api, 90, 20, 10)
        await api.push_and_drain()
        low = await save(api, "Low", max_score=50)
        added = await api.call("POST", "/api/clay/exclusions", {"segment_id": low["id"], "reason": "Too low"})
        assert (added["exclusion"]["segment_id"], added["exclusion"]["is_address"]) == (low["id"], False)
        job = await api.push_and_drain(push_again=True)
        assert (job["success_count"], job["skipped_count"]) == (1, 2)
        body = {"project_id": str(api.project_id), "push_again": True}
        seen = await api.call("POST", "/api/clay/preview", body)
        assert (seen["to_send"], [(each["cause"], each["count"]) for each in seen["skipped"]]) == (1, [("excluded", 2)])
        again = await api.call("POST", "/api/clay/exclusions", {"segment_id": low["id"], "reason": "Again"}, status=200)
        assert again["exclusion"]["id"] == added["exclusion"]["id"]
        problem = await api.call("DELETE", f"{PATH}/{low['id']}", status=409)
        assert (problem["code"], problem["uses"]) == (
            "segment_in_use", [{"kind": "exclusion", "id": added["exclusion"]["id"], "project_id": None, "name": None}],
        )  # fmt: skip
        await api.send("DELETE", f"/api/clay/exclusions/{added['exclusion']['id']}", "owner")
        assert (await api.send("DELETE", f"{PATH}/{low['id']}", "owner")).status_code == 204
        async with api.installation.owner.transaction() as connection:
            assert not await verify(connection, timedelta(minutes=1))


async def test_two_segments_are_excluded_at_the_same_time(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await score_all(api, 90, 50, 10)
        for name, filters in (("Low", {"max_score": 20}), ("High", {"min_score": 80})):
            made = await save(api, name, **filters)
            await api.call("POST", "/api/clay/exclusions", {"segment_id": made["id"], "reason": "Partner"})
        listed = (await api.call("GET", "/api/clay/exclusions"))["exclusions"]
        assert [each["segment_id"] is not None for each in listed] == [True, True]
        assert (await api.push())["skipped_count"] == 2


async def test_queued_leads_are_skipped_when_their_segment_is_excluded_or_changed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await score_all(api, 90, 50, 10)
        job_id = (await api.push())["job_id"]
        low = await save(api, "Low", max_score=20)
        added = await api.call("POST", "/api/clay/exclusions", {"segment_id": low["id"], "reason": "Too low"})
        assert added["stopped_count"] == 1
        await api.call("PUT", f"{PATH}/{low['id']}", {"name": "Low", "filters": {"max_score": 60}})
        await api.drain()
        job = await api.job(job_id)
        assert (job["success_count"], job["skipped_count"]) == (1, 2)


async def test_the_score_at_send_counts_and_each_project_has_its_own(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await score_all(api, 90, 90)
        low = await save(api, "Low", max_score=20)
        await api.call("POST", "/api/clay/exclusions", {"segment_id": low["id"], "reason": "Too low"})
        other = await api.host.project(api.org_id, "Other project")
        await api.host.scored(api.lead_ids[1], other, score=5)
        job_id = (await api.push(project_id=str(api.project_id)))["job_id"]
        async with api.database.transaction() as connection:
            tables = await api.installation.host_tables.tables(connection)
            anywhere = await read_excluded(connection, tables, api.org_id, api.lead_ids)
            assert anywhere == {api.lead_ids[1]}, "without a project, the score in any of them counts"
            assert not await read_excluded(connection, tables, api.org_id, api.lead_ids, api.project_id)
        await score(api, api.lead_ids[0], 10)
        await api.host.scored(api.lead_ids[0], other, score=90)
        await api.drain()
        job = await api.job(job_id)
        assert (job["success_count"], job["skipped_count"]) == (1, 1)
        assert api.receiver.leads == {str(api.lead_ids[1]): 1}
