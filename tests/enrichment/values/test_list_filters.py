"""The filters of the lead list by what Clay has found: without an e-mail address, never enriched, stale; and the order by score."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from tests.enrichment.results import Results, results

FILTERS: Sequence[tuple[dict[str, object], str]] = [
    ({"without_email": True}, "in_vain invalid untouched"),
    ({"enrichment": "never"}, "entered host_has_one untouched"),
    ({"enrichment": "stale"}, "old"),
    ({"without_email": True, "enrichment": "never"}, "untouched"),
]


async def prepare(app: Results) -> dict[UUID, str]:
    """Leads in each state of enrichment. Returns lead → name."""
    untouched, found, in_vain, entered, old, invalid = app.api.lead_ids
    host_has_one = await app.api.host.lead(app.api.project_id, score=5, email="own@example.com")
    for lead_id in (found, old):
        await app.send({"lead_id": str(lead_id), "email": f"{lead_id.hex}@example.com"})
    await app.send({"lead_id": str(in_vain), "email": ""})
    await app.send({"lead_id": str(invalid), "email": "gone@example.com", "email_status": "invalid"})
    await app.apply()
    path = f"/api/clay/leads/{entered}/enrichment/email"
    await app.api.call("PUT", path, {"value": "typed@example.com"})
    await app.api.host.connection.execute(
        "UPDATE clay.enriched_values SET received_at = now() - interval '184 days' WHERE lead_id = $1", old
    )
    await app.api.host.connection.execute(
        "UPDATE clay.enriched_values SET received_at = now() - interval '182 days' WHERE lead_id = $1", found
    )
    return {
        untouched: "untouched", found: "found", in_vain: "in_vain", entered: "entered", old: "old", invalid: "invalid",
        host_has_one: "host_has_one",
    }  # fmt: skip


async def listed(app: Results, **query: object) -> list[Any]:
    sent = urlencode({"project_id": app.api.project_id} | query)
    return list((await app.api.call("GET", f"/api/clay/leads?{sent}"))["leads"])


async def test_the_list_the_preview_and_the_badge_agree(database_url: str) -> None:
    async with results(database_url, leads=6) as app:
        names = await prepare(app)
        for filters, expected in FILTERS:
            found = {UUID(each["id"]) for each in await listed(app, **filters)}
            assert " ".join(sorted(names[each] for each in found)) == expected, filters
            wanted = {"project_id": str(app.api.project_id), "filters": filters}
            preview = await app.api.call("POST", "/api/clay/preview", wanted)
            assert preview["lead_count"] == len(found), filters
        for lead_id, name in names.items():
            badge = (await app.lead(lead_id))["badge"]
            assert (not badge["enriched"]) == (name in {"entered", "host_has_one", "untouched"}), name
            assert badge["stale"] == (name == "old"), name


async def test_results_of_another_organization_do_not_count(database_url: str) -> None:
    async with results(database_url, leads=1) as app:
        await app.result(email="a@example.com", confidence=80)
        project_id = await app.api.host.project(app.api.other_org_id)
        await app.api.host.scored(app.lead_id, project_id)
        query = urlencode({"project_id": project_id, "enrichment": "never", "without_email": True})
        path = f"/api/clay/leads?{query}&sort=highest_enrichment_score"
        [theirs] = (await app.api.call("GET", path, who="other_owner"))["leads"]
        assert (theirs["id"], theirs["enrichment_score"]) == (str(app.lead_id), None)
        assert await listed(app, enrichment="never") == []
        assert (await listed(app))[0]["enrichment_score"] == 80


@pytest.mark.parametrize(
    ("sort", "expected"), [("highest_score", [90, 50, 10, None, None]), ("lowest_score", [10, 50, 90, None, None])]
)
@pytest.mark.parametrize("size", [1, 2])
async def test_pages_in_each_order_contain_each_lead_once_and_leads_without_a_score_last(
    database_url: str, sort: str, expected: list[int | None], size: int
) -> None:
    async with results(database_url, leads=0) as app:
        for score in (50, None, 10, 90, None):
            await app.api.host.lead(app.api.project_id, score=score)
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            sent = urlencode({"project_id": app.api.project_id, "sort": sort, "limit": size, "cursor": cursor})
            page = await app.api.call("GET", f"/api/clay/leads?{sent}")
            seen += page["leads"]
            cursor = page["next_cursor"]
        assert [each["overall_score"] for each in seen] == expected
        assert len({each["id"] for each in seen}) == 5
