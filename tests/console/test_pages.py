"""What every page has: the policy, the frame, problems with a next step, and words in any script."""

from datetime import UTC, datetime, timedelta

import pytest

from clay_push_service.console.pages import words
from clay_push_service.console.pages.environment import web_link
from clay_push_service.gate import MESSAGE
from tests.harness.api import Api, run_api
from tests.harness.visitor import Visitor, visiting

NOW = datetime(2026, 11, 30, 14, 5, 9, tzinfo=UTC)


async def test_pages_have_a_strict_policy_and_are_not_stored(owner: Visitor) -> None:
    for path in ("/console/jobs", "/console/sign-in", "/console/none"):
        page = await owner.open(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"


async def test_a_page_that_is_not_there_is_a_page_with_a_next_step(owner: Visitor) -> None:
    for path in ("/console/none", "/console/jobs/00000000-0000-0000-0000-000000000000"):
        page = await owner.open(path)
        assert page.status_code == 404
        assert 'href="/console/jobs"' in page.text
        assert "Request id" in page.text
    malformed = await owner.open("/console/jobs?status=unknown")
    assert (malformed.status_code, "status" in malformed.text) == (422, True)


async def test_jobs_of_another_organization_are_not_found(api: Api) -> None:
    job_id = await api.queue()
    async with visiting(api, "other_owner") as other_owner:
        for path in ("", "/live", "/progress", "/leads.csv"):
            assert (await other_owner.open(f"/console/jobs/{job_id}{path}")).status_code == 404, path
        await other_owner.open("/console/jobs")
        for path in ("cancel", "retry"):
            answer = await other_owner.submit(f"/console/jobs/{job_id}/{path}", {"cause": "rejected"})
            assert answer.status_code == 404, path
        assert job_id not in (await other_owner.open("/console/jobs")).text
    assert (await api.job(job_id))["status"] == "pending"


async def test_the_page_reports_an_unavailable_database(api: Api, owner: Visitor) -> None:
    await api.installation.fetch("ALTER TABLE clay.console_sessions RENAME TO console_sessions_away")
    page = await owner.open("/console/jobs")
    assert page.status_code == 503
    assert "Not available now" in page.text
    assert "Try again" in page.text
    assert page.headers["retry-after"] == "5"


async def test_a_form_that_the_database_refuses_links_to_a_page_that_exists(api: Api, owner: Visitor) -> None:
    await owner.open("/console/leads")
    await api.installation.fetch("ALTER TABLE clay.console_sessions RENAME TO console_sessions_away")
    answer = await owner.submit("/console/leads/push-one", {"one": str(api.lead_ids[0])})
    assert (answer.status_code, "Go back in the browser" in answer.text) == (503, True)
    assert '<a class="button primary" href="/console/">Open the console</a>' in answer.text


async def test_a_gated_organization_sees_the_upgrade_text_above_its_pages(database_url: str) -> None:
    async with (
        run_api(database_url, billing_enabled=True, upgrade_url="https://nexusleads.example/upgrade") as api,
        visiting(api) as visitor,
    ):
        page = await visitor.open("/console/jobs")
        assert (page.status_code, MESSAGE in page.text) == (200, True)
        assert 'href="https://nexusleads.example/upgrade"' in page.text


def test_links_of_leads_are_web_links_or_none() -> None:
    assert web_link("https://github.com/x") == "https://github.com/x"
    for unsafe in (
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "//github.com",
        "github.com",
        "",
        None,
        "http://[",
    ):
        assert web_link(unsafe) is None, unsafe


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_duration_has_two_units_at_most(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


def test_moments_have_their_zone_and_ages_their_largest_unit() -> None:
    assert words.moment(NOW) == "30 Nov 2026, 14:05 UTC"
    ages = [words.ago(NOW - timedelta(seconds=each), NOW) for each in (0, 5, 300, 7300, 200_000)]
    assert ages == ["now", "5 s ago", "5 min ago", "2 h ago", "2 d ago"]
    assert [words.actor(each) for each in (None, "user:alice", "key:ab (n)", "auto")] == [
        "–",
        "alice",
        "key ab (n)",
        "auto",
    ]
