"""Enrichment in Chromium: settings and their test, one lead and 50, progress, pin, quality."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.screen import Screen, screen
from tests.harness.console_server import ConsoleServer, serve_console
from tests.support.enrichment_outcomes import (
    EXPIRED,
    FAILED,
    FOUND,
    NOTHING,
    PARTIAL,
    SKIPPED,
    change_queued,
    request_emails,
    save_routine,
)
from tests.support.enrichment_quality import fill_quality

pytestmark = pytest.mark.browser
SETTINGS = "/console/enrichment/settings"
CONFIG = "/api/clay/enrichment/config"
ENDED = (FOUND, FAILED, PARTIAL, NOTHING, EXPIRED, SKIPPED)
LIVE_SECONDS = 10
PAUSE_SECONDS = 0.2


async def test_settings_are_saved_tested_and_masked(server: ConsoleServer, owner: Screen) -> None:
    page = owner.page
    await owner.open(SETTINGS)
    await owner.review("enrichment-settings-empty")
    await page.get_by_label("API key").fill("clay_key_of_owner")
    await page.get_by_label("Credits per day").fill("200")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#messages")).to_contain_text("The settings are saved.")
    email = page.locator("#email")
    await email.get_by_label("Routine id").fill("rt_1")
    await email.get_by_role("button", name="Save the routine").click()
    await expect(page.locator("#messages")).to_contain_text("The routine is saved.")
    await expect(email.get_by_text("Set", exact=True)).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("clay_key_of_owner")
    await owner.review("enrichment-settings")
    await server.api.call("DELETE", CONFIG)
    await owner.open(SETTINGS)
    await expect(email.get_by_role("button", name="Test key and routine")).to_be_disabled()


async def test_one_lead_and_fifty_are_enriched_after_an_estimate(browser: Browser, database_url: str) -> None:
    async with serve_console(database_url, leads=1) as server, screen(browser, server.url) as owner:
        api = server.api
        await save_routine(api)
        for number in range(49):
            await api.host.lead(api.project_id, full_name=f"Lead {number}", company="Acme")
        await owner.sign_in()
        page = owner.page
        await owner.open("/console/leads")
        await page.get_by_label("Select all leads shown").check()
        await page.get_by_role("button", name="Enrich Selected Leads with Clay").click()
        await expect(page.get_by_role("heading", name="Enrich 50 leads with Clay?")).to_be_visible()
        await page.get_by_label("E-mail address alone").check()
        await page.get_by_label("Legal basis").select_option("Consent")
        await page.get_by_role("button", name="Enrich 50 leads").click()
        await expect(page.locator("#live")).to_contain_text("Of 50 leads, 1 failed and 49 have not ended.")
        await expect(page.locator("tbody tr")).to_have_count(50)
        lead = await api.host.lead(api.project_id, full_name="Zoe Ng", company="Acme")
        await owner.open(f"/console/leads/{lead}")
        await page.get_by_role("link", name="Find Email").click()
        await page.get_by_label("Legal basis").select_option("Legitimate interest")
        await page.get_by_role("button", name="Enrich 1 lead").click()
        await expect(page.locator("#messages")).to_contain_text("Queued for enrichment: 1 lead.")


async def test_a_value_is_pinned_and_the_pin_is_removed(server: ConsoleServer, owner: Screen) -> None:
    await owner.open(f"/console/leads/{server.api.lead_ids[0]}")
    page = owner.page
    await page.get_by_label("Change E-mail address").click()
    row = page.get_by_role("row", name="E-mail address")
    await row.get_by_role("textbox").fill("zoe@example.com")
    await row.get_by_label("Pin it").check()
    await row.get_by_role("button", name="Save").click()
    await expect(page.locator("#messages")).to_contain_text("E-mail address: Saved.")
    await expect(row).to_contain_text("zoe@example.com")
    await expect(row).to_contain_text("Pinned by owner")
    await page.get_by_label("Change E-mail address").click()
    await row.get_by_role("button", name="Remove the pin").click()
    await expect(page.locator("#messages")).to_contain_text("The pin is removed.")


async def test_leads_of_a_job_are_found_by_name_and_downloaded(server: ConsoleServer, owner: Screen) -> None:
    api, page = server.api, owner.page
    await save_routine(api)
    leads = [await api.host.lead(api.project_id, full_name=name, company="Acme") for name in ("Zoe Ng", "Ada Li")]
    await owner.open(f"/console/enrichment/{await request_emails(api, leads)}")
    await page.get_by_label("Find a lead").fill("zoe")
    await page.get_by_role("button", name="Find", exact=True).click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download CSV").click()
    assert "Zoe Ng" in (await (await download.value).path()).read_text("utf-8")


async def test_quality_shows_outcomes_gaps_and_confidence(server: ConsoleServer, owner: Screen) -> None:
    await owner.open("/console/enrichment/quality")
    await owner.review("quality-empty")
    await fill_quality(server.api)
    await owner.open("/console/enrichment/quality")
    await expect(owner.page.get_by_text("of 10 leads with at least one value")).to_be_visible()
    await owner.review("quality")
    await owner.page.get_by_label("Period").select_option("7 days")
    await owner.page.wait_for_url("**days=7**")
    await expect(owner.page.get_by_label("Period")).to_have_value("7")


async def test_a_running_enrichment_moves_for_ten_seconds_and_nothing_else_does(
    browser: Browser, database_url: str
) -> None:
    async with serve_console(database_url, leads=1) as server, screen(browser, server.url) as owner:
        api, page = server.api, owner.page
        await save_routine(api)
        leads = [await api.host.lead(api.project_id, full_name=f"Lead {n}", company="Acme") for n in range(50)]
        job_id = await request_emails(api, leads)
        await owner.sign_in()
        await owner.open(f"/console/enrichment/{job_id}")
        live, tabs = page.locator("#live"), page.locator("#tabs")
        await expect(page.locator("#announcement")).to_contain_text("50 have not ended")
        before = await page.evaluate("window.shifted")
        clock = asyncio.get_running_loop()
        until, ended = clock.time() + LIVE_SECONDS, 0
        while clock.time() < until:
            if ended < len(leads) - 1:
                ended += await change_queued(api, job_id, [ENDED[ended % len(ENDED)]])
            await expect(live).to_contain_text(f"{ended} more lead")
            await asyncio.sleep(PAUSE_SECONDS)
        assert await page.evaluate("window.shifted") == before, "ten seconds of updates move nothing"
        await expect(tabs.get_by_role("link", name="Failed")).to_contain_text(re.compile(r"[1-9]"))
        await owner.review("enrichment-live")
        await change_queued(api, job_id, [ENDED[0]] * len(leads))
        await expect(live).to_contain_text("Finished")
        await expect(page.get_by_role("button", name="Cancel the enrichment")).to_have_count(0)
