"""Enrichment jobs, exclusions, missing results and the status page in Chromium."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.screen import Screen, screen
from tests.harness.console_server import ConsoleServer, serve_console
from tests.support.enrichment_outcomes import request_emails, save_routine
from tests.support.stopped_results import LEADS, UNCONFIRMED, check, results_stop

pytestmark = pytest.mark.browser


async def test_leads_are_estimated_enriched_and_the_enrichment_is_cancelled(
    server: ConsoleServer, owner: Screen
) -> None:
    api = server.api
    await save_routine(api)
    for number in range(3):
        await api.host.lead(api.project_id, full_name=f"Lead {number}", company="Acme")
    await owner.open("/console/enrichment")
    await owner.review("enrichment-empty")
    await owner.open("/console/leads")
    await owner.page.get_by_label("Select all leads shown").check()
    await owner.page.get_by_role("button", name="Enrich Selected Leads with Clay").click()
    await expect(owner.page.get_by_role("heading", name="Enrich 8 leads with Clay?")).to_be_visible()
    await owner.review("enrichment-estimate")
    await owner.page.get_by_label("E-mail address alone").check()
    await owner.page.get_by_label("Legal basis").select_option("Consent")
    await owner.page.get_by_role("button", name="Enrich 8 leads").click()
    await expect(owner.page.locator("#live")).to_contain_text("Of 8 leads, 5 failed and 3 have not ended.")
    await owner.review("enrichment-job")
    await owner.page.get_by_role("button", name="Cancel the enrichment").click()
    await owner.page.get_by_role("dialog").get_by_role("button", name="Cancel the enrichment").click()
    await expect(owner.page.locator("#messages")).to_contain_text("3 leads will not be requested from Clay")
    await owner.open("/console/enrichment")
    await owner.review("enrichment")


async def test_a_running_enrichment_is_shown_live(server: ConsoleServer, owner: Screen) -> None:
    api = server.api
    await save_routine(api)
    lead = await api.host.lead(api.project_id, full_name="A lead", company="Acme")
    job_id = await request_emails(api, [lead])
    await owner.open(f"/console/enrichment/{job_id}")
    await expect(owner.page.locator("#announcement")).to_contain_text("Of 1 lead, 1 has not ended.")
    await api.call("POST", f"/api/clay/enrichment/jobs/{job_id}/cancel")
    await expect(owner.page.locator("#live")).to_contain_text("Of 1 lead, 1 was cancelled.")
    await expect(owner.page.locator("#live")).to_contain_text("Finished")
    await expect(owner.page.locator("#stream")).to_have_count(0)


async def test_a_domain_and_a_lead_are_excluded(server: ConsoleServer, owner: Screen) -> None:
    await owner.open("/console/exclusions")
    await owner.review("exclusions-empty")
    await owner.page.get_by_label("E-mail domain", exact=True).fill("acme.com")
    await owner.page.get_by_label("Reason").fill("Competitor")
    await owner.page.get_by_role("button", name="Add the exclusion").click()
    await expect(owner.page.locator("#messages")).to_contain_text("The domain is excluded.")
    await owner.open(f"/console/leads/{server.api.lead_ids[0]}")
    await owner.page.get_by_role("button", name="Keep this lead from Clay").click()
    sheet = owner.page.get_by_role("dialog")
    await sheet.get_by_label("Reason").fill("Customer")
    await sheet.get_by_role("button", name="Exclude the lead").click()
    await expect(owner.page.get_by_text("Excluded by owner")).to_be_visible()
    await owner.review("lead-excluded")
    await owner.open("/console/exclusions")
    await owner.review("exclusions")
    await owner.page.get_by_role("button", name="Remove", exact=True).first.click()
    await owner.page.get_by_role("dialog").get_by_role("button", name="Remove the exclusion").click()
    await expect(owner.page.locator("#messages")).to_contain_text("The exclusion is removed.")


async def test_missing_results_are_named_listed_and_pushed_again(browser: Browser, database_url: str) -> None:
    async with serve_console(database_url, leads=LEADS) as server, screen(browser, server.url) as owner:
        await results_stop(server.api)
        assert await check(server.api)
        await owner.sign_in()
        await owner.review("overview-suspect")
        await owner.page.get_by_role("link", name="See the leads and the usual reasons").click()
        await owner.review("missing-results")
        await owner.page.get_by_role("link", name="Push exactly these again").click()
        await owner.page.get_by_role("button", name=f"Push {UNCONFIRMED} leads again").click()
        await expect(owner.page.locator("#messages")).to_contain_text(f"Pushing {UNCONFIRMED} leads to Clay...")


async def test_status_has_the_frame_of_the_console(server: ConsoleServer, owner: Screen) -> None:
    state = server.api.app.state
    state.settings = state.settings.model_copy(update={"ops_open": True})
    owner.expected.append("status of 503")
    await server.api.push_and_drain()
    await owner.open("/status?refresh=0")
    await expect(owner.page.get_by_role("heading", level=1)).to_be_visible()
    await expect(owner.page.get_by_role("navigation", name="Main")).to_be_visible()
    await owner.review("status")
