"""An erasure removes from segments what names the erased lead; a segment that loses a condition matches no lead."""

from typing import Any
from uuid import UUID

import pytest

from clay_push_service.privacy.segment_filters import without_names
from clay_push_service.routing.segments import Segment
from tests.harness.api import Api, run_api_with_leads
from tests.support.moments import NOW

PATH = "/api/clay/segments"
KNOWN = ("jane-doe", "jane doe", "jane@acme.com")


def segment(name: str = "Best", **filters: object) -> Segment:
    return Segment(UUID(int=0x1A2B3C4D << 96), name, filters, None, "user:a", NOW, "user:a", NOW)


@pytest.mark.parametrize("search", ["Jane Doe", "JANE", "doe", "about jane doe here", "jane@acme.com", "jane-doe"])
def test_a_search_that_names_the_lead_is_removed_and_the_segment_disabled(search: str) -> None:
    found = without_names(segment(search=search, min_score=3), KNOWN)
    assert found is not None
    assert (dict(found.filters), found.loses_condition) == ({"min_score": 3}, True)


@pytest.mark.parametrize("search", ["acme", "golang", "Janet", "doer"])
def test_another_search_stays(search: str) -> None:
    assert without_names(segment(search=search), KNOWN) is None


def test_words_of_company_lists_are_removed_one_by_one() -> None:
    found = without_names(segment(companies=["Acme", "Jane Doe GmbH"], exclude_companies=["jane-doe"]), KNOWN)
    assert found is not None
    assert (dict(found.filters), found.loses_condition) == ({"companies": ["Acme"]}, False)
    emptied = without_names(segment(companies=["Jane Doe GmbH"]), KNOWN)
    assert emptied is not None
    assert (dict(emptied.filters), emptied.loses_condition) == ({}, True)
    assert without_names(segment(companies=["Acme", "Jane Street"]), KNOWN) is None


def test_a_name_that_names_the_lead_is_replaced() -> None:
    found = without_names(segment("Leads like Jane Doe", min_score=3), KNOWN)
    assert found is not None
    assert (found.name, found.loses_condition) == ("Segment 1a2b3c4d", False)


async def save(api: Api, name: str, **filters: object) -> Any:
    return await api.call("POST", PATH, {"name": name, "filters": filters})


async def test_an_emptied_segment_matches_no_lead_until_it_is_saved_again(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        lead = await api.host.lead(api.project_id, full_name="Jane Doe", company="Acme")
        app = await save(api, "Jane's twins", search="jane doe", companies=["Acme"])
        kept = await save(api, "Acme", companies=["Acme"])
        await api.call("POST", "/api/clay/exclusions", {"segment_id": app["id"], "reason": "Twins"})
        exported = await api.call("POST", "/api/clay/exports", {"lead_id": str(lead)})
        assert [each["id"] for each in exported["kept"]["segments"]] == [app["id"]]
        await api.call("POST", "/api/clay/erasures", {"lead_ids": [str(lead)], "former_values": []})
        emptied = await api.call("GET", f"{PATH}/{app['id']}")
        assert (emptied["filters"]["search"], emptied["filters"]["companies"]) == (None, ["Acme"])
        assert emptied["emptied_at"] is not None
        assert (await api.call("POST", "/api/clay/segment-preview", {"segment_id": app["id"]}))["lead_count"] == 0
        assert await api.call("GET", f"{PATH}/{kept['id']}") == kept
        unchanged = await api.host.lead(api.project_id, full_name="John", company="Acme")
        assert (await api.push([unchanged]))["skipped_count"] == 0, "the emptied segment must exclude no lead"
        await api.call("PUT", f"{PATH}/{app['id']}", {"name": "Acme again", "filters": {"companies": ["Acme"]}})
        assert (await api.push([unchanged], push_again=True))["skipped_count"] == 1
