"""Whole walks in Chromium: a new user from signing in to a cancelled push, and a rule that pushes after a scan."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, expect

from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.inbox.inbox import Inbox
from tests.browser.screen import Screen, screen
from tests.harness.console_server import ConsoleServer, serve_console

pytestmark = pytest.mark.browser
LEADS = 60


async def test_a_newcomer_connects_pushes_one_lead_then_many_and_cancels(browser: Browser, database_url: str) -> None:
    async with serve_console(database_url, leads=LEADS) as server, screen(browser, server.url) as visitor:
        api, page = server.api, visitor.page
        await api.call("DELETE", "/api/clay/config")
        await visitor.sign_in()
        await page.get_by_role("link", name="Configure Clay").click()
        await page.get_by_label("Webhook URL").fill(api.receiver.url)
        await page.get_by_label("Table name").fill("Inbound")
        await page.get_by_label("Delay between two leads").fill("100")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#messages")).to_contain_text("The settings are saved. Clay accepted a test row.")
        await expect(page.locator(".stages").get_by_text("Passed")).to_have_count(6)
        await page.get_by_role("link", name="Leads", exact=True).click()
        first = page.get_by_role("row").nth(1)
        await first.get_by_role("button", name="Push to Clay").click()
        await expect(page.locator("#messages")).to_contain_text("Pushing 1 lead to Clay...")
        await api.drain()
        await page.reload()
        await expect(first.get_by_text("In Clay", exact=True)).to_be_visible()
        assert list(api.receiver.leads.values()) == [1, 1], "the row of the test and the lead"
        await page.get_by_role("button", name="Push all leads of the project").click()
        sheet = page.get_by_role("dialog", name="Push preview")
        await expect(sheet).to_contain_text("1: Already in your Clay table.")
        await sheet.get_by_role("button", name=f"Push {LEADS - 1} leads").click()
        live = page.locator("#live")
        await expect(live).to_contain_text(f"{LEADS - 1} are still to be sent")
        draining = asyncio.create_task(api.drain())
        await expect(live).to_contain_text(re.compile(r"\d more leads? ha(s|ve) an outcome"))
        await page.get_by_role("button", name="Cancel the push").click()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel the push").click()
        await expect(page.locator("#messages")).to_contain_text(re.compile(r"Cancelled: \d+ leads will not be sent"))
        await draining
        await expect(live).to_contain_text("Finished")
        [job] = (await api.call("GET", "/api/clay/jobs?status=cancelled"))["jobs"]
        assert job["success_count"] + job["skipped_count"] == LEADS
        assert sorted(api.receiver.leads.values()) == [1] * (2 + job["success_count"])


async def test_a_rule_saved_in_the_browser_pushes_after_the_next_scan(server: ConsoleServer, owner: Screen) -> None:
    api, page = server.api, owner.page
    await api.host.attach(Level.INBOX)
    inbox = Inbox(api.installation.database, HostTableCache(), api.settings)
    await owner.open(f"/console/projects/{api.project_id}")
    await page.get_by_label("Push new leads to Clay after each completed scan").check()
    await page.get_by_label("Minimum score").fill("89.75")
    await page.get_by_role("button", name="Save the rule").click()
    await expect(page.locator("#messages")).to_contain_text("Auto-export is on")
    await api.host.end_scan(await api.host.begin_scan(api.project_id))
    await inbox.process_due()
    await owner.open("/console/jobs")
    await page.get_by_role("link", name="Of 3 leads").click()
    await expect(page.get_by_text("Automatic, after a scan")).to_be_visible()
    await expect(page.locator("#announcement")).to_contain_text("3 are still to be sent")
    await api.drain()
    await expect(page.locator("#live")).to_contain_text("Of 3 leads, 3 are in Clay.")
    await api.host.end_scan(await api.host.begin_scan(api.project_id))
    await inbox.process_due()
    assert len((await api.call("GET", "/api/clay/jobs"))["jobs"]) == 1, "no lead is new for the second scan"
