"""Estimate, request and cancel of an enrichment, its list and its page, as a browser without JavaScript uses them."""

import re
from html import unescape
from uuid import UUID

import pytest

from clay_push_service.console.pages.enrichment.sentence import amount_words, quantity
from clay_push_service.enrichment.settings.views import AmountView
from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting
from tests.support.enrichment_outcomes import request_emails, save_routine

JOBS = "/api/clay/enrichment/jobs"
NUMBER = re.compile(r'href="([^"]+)#leads"[^>]*>(?:[^<]+<span class="count[^"]*">)?(\d+)(?:</span>| leads?</a>)')
"""The counts of tabs and cause cards, with their links."""


@pytest.fixture
async def named(api: Api) -> list[UUID]:
    """Three leads with the values that the routine needs; the other leads have no company."""
    await save_routine(api)
    return [await api.host.lead(api.project_id, full_name=f"Lead {n}", company="Acme") for n in range(3)]


async def test_estimate_names_a_range_for_each_kind_and_requests_nothing(
    api: Api, owner: Visitor, named: list[UUID]
) -> None:
    page = await owner.open(f"/console/leads/{named[0]}/enrich?kind=email")
    assert page.status_code == 200
    assert "1 to 2 credits and at least 1 action" in page.text
    assert "5 to 10 credits and at least 1 action" in page.text
    assert re.search(r'value="email" checked', page.text)
    assert '<option value="">Choose one</option>' in page.text
    assert (await api.call("GET", JOBS))["jobs"] == []


async def test_selected_leads_are_estimated_and_then_enriched_once(api: Api, owner: Visitor, named: list[UUID]) -> None:
    await owner.open("/console/leads")
    page = await owner.submit("/console/leads/estimate", {"lead_id": str(named[0])})
    assert "Enrich 1 lead</button>" in page.text
    wanted = {"lead_id": str(named[0]), "kind": "email", "basis": "consent", "key": "same"}
    for _ in range(2):
        shown = await owner.submit_and_follow("/console/leads/enrich", wanted)
        assert "Of 1 lead, 1 has not ended." in shown.text
    [job] = (await api.call("GET", JOBS))["jobs"]
    assert (job["basis"], job["again"]) == ("consent", False)


async def test_estimate_without_a_lead_and_enrichment_without_a_basis_are_refused(
    api: Api, owner: Visitor, named: list[UUID]
) -> None:
    await owner.open("/console/leads")
    none = await owner.submit("/console/leads/estimate")
    assert (none.status_code, "Select 1 to 50 leads" in none.text) == (422, True)
    unchosen = await owner.submit("/console/leads/enrich", {"lead_id": str(named[0]), "kind": "email", "basis": ""})
    assert unchosen.status_code == 422
    assert (await api.call("GET", JOBS))["jobs"] == []


async def test_list_and_page_show_each_lead_with_its_outcome_and_cause(
    api: Api, owner: Visitor, named: list[UUID]
) -> None:
    job_id = await request_emails(api, [*named[:2], api.lead_ids[0]])
    page = await owner.open("/console/enrichment")
    assert f'href="/console/enrichment/{job_id}"' in page.text
    page = await owner.open(f"/console/enrichment/{job_id}")
    assert "Of 3 leads, 1 failed and 2 have not ended." in page.text
    assert page.text.count("<tr>") == 4
    assert "Legal basis: consent" in page.text
    assert "The lead lacks:" in page.text
    [cause] = re.findall(rf'href="(/console/enrichment/{job_id}\?cause=[a-z_]+)#leads">1 lead<', page.text)
    assert (await owner.open(cause)).text.count("<tr>") == 2
    failed = await owner.open(f"/console/enrichment/{job_id}?outcome=failed")
    assert failed.text.count("<tr>") == 2


async def test_every_number_of_a_job_equals_the_rows_behind_its_link(
    api: Api, owner: Visitor, named: list[UUID]
) -> None:
    job_id = await request_emails(api, [*named, *api.lead_ids[:2]])
    await api.call("POST", f"{JOBS}/{job_id}/cancel")
    page = await owner.open(f"/console/enrichment/{job_id}")
    numbers = NUMBER.findall(page.text)
    assert sorted(int(count) for _, count in numbers) == [2, 2, 3, 3, 5]
    for href, count in numbers:
        assert (await owner.open(unescape(href))).text.count("<tr>") == int(count) + 1, href


async def test_leads_of_one_cause_are_estimated_again(api: Api, owner: Visitor, named: list[UUID]) -> None:
    job_id = await request_emails(api, named)
    page = await owner.open(f"/console/enrichment/{job_id}")
    assert "again…" not in page.text, "not before the job has ended"
    await api.call("POST", f"{JOBS}/{job_id}/cancel")
    page = await owner.open(f"/console/enrichment/{job_id}")
    assert "Enrich 3 leads again…" in page.text
    estimate = await owner.submit(f"/console/enrichment/{job_id}/estimate", {"cause": "cancelled"})
    assert "Enrich 3 leads</button>" in estimate.text
    assert {str(each) for each in named} == set(re.findall(r'name="lead_id" value="([0-9a-f-]{36})"', estimate.text))
    async with visiting(api, "other_owner") as other_owner:
        await other_owner.open("/console/enrichment")
        refused = await other_owner.submit(f"/console/enrichment/{job_id}/estimate", {"cause": "cancelled"})
        assert refused.status_code == 404


async def test_cancel_names_what_was_requested_and_what_will_not_be(
    api: Api, owner: Visitor, named: list[UUID]
) -> None:
    job_id = await request_emails(api, named)
    await api.installation.fetch(f"""
        WITH run AS (
            INSERT INTO clay.enrichment_runs (id, org_id, kind, routine_id, outputs, state, expires_at)
            VALUES (gen_random_uuid(), '{api.org_id}', 'email', 'r', '{{}}', 'held', now() + interval '1 day') RETURNING id)
        UPDATE clay.enrichment_items SET state = 'held', started_at = now(), run_id = (SELECT id FROM run)
        WHERE lead_id = '{named[0]}'""")
    page = await owner.open(f"/console/enrichment/{job_id}")
    assert "1 lead may have been requested, because Clay gave no clear response." in page.text
    page = await owner.submit_and_follow(f"/console/enrichment/{job_id}/cancel")
    assert "2 leads will not be requested from Clay" in page.text
    assert "2 were cancelled" in page.text


async def test_jobs_of_another_organization_are_not_found(api: Api, owner: Visitor, named: list[UUID]) -> None:
    job_id = await request_emails(api, named)
    async with visiting(api, "other_owner") as other_owner:
        assert (await other_owner.open(f"/console/enrichment/{job_id}")).status_code == 404
        assert (await other_owner.open(f"/console/leads/{named[0]}/enrich")).status_code == 404
        assert job_id not in (await other_owner.open("/console/enrichment")).text
        assert (await other_owner.submit(f"/console/enrichment/{job_id}/cancel")).status_code == 404
        estimate = await other_owner.submit("/console/leads/estimate", {"lead_id": str(named[0])})
        assert estimate.status_code == 404
    assert (await api.call("GET", f"{JOBS}/{job_id}"))["status"] == "pending"
    assert (await owner.open(f"/console/enrichment/{job_id}")).status_code == 200


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(5, 10, "5 to 10 credits"), (1, 1, "1 credit"), (1, None, "at least 1 credit"), (0, 0, "0 credits"), (1.5, 1.5, "1.5 credits")],
)  # fmt: skip
def test_amounts_are_ranges_in_words(low: float, high: float | None, expected: str) -> None:
    assert amount_words(AmountView(low=low, high=high), "credit") == expected


def test_quantities_keep_their_zeros_before_the_point() -> None:
    assert [quantity(each) for each in (0.0, 10.0, 1200.0, 1.25)] == ["0", "10", "1,200", "1.25"]
