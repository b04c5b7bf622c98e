"""The leads pages in Chromium: selection, preview as a dialog, pushes, a lead, a delivery."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.harness.console_server import ConsoleServer

pytestmark = pytest.mark.browser


async def test_selected_leads_are_previewed_in_a_dialog_and_pushed(server: ConsoleServer, owner: Screen) -> None:
    await server.api.push_and_drain(server.api.lead_ids[:2])
    await owner.open("/console/leads")
    await owner.review("leads")
    await owner.page.get_by_label("Select all leads shown").check()
    await expect(owner.page.get_by_text("5 selected")).to_be_visible()
    await owner.page.get_by_role("button", name="Push the selected leads").click()
    sheet = owner.page.get_by_role("dialog", name="Push preview")
    await expect(sheet.get_by_role("heading", name="Push 3 leads to the Clay table Leads?")).to_be_visible()
    await expect(sheet).to_contain_text("2: Already in your Clay table.")
    await owner.review("leads-preview")
    await sheet.get_by_role("button", name="Push 3 leads").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Pushing 3 leads to Clay...")


async def test_one_lead_is_pushed_at_once_and_again_only_after_a_preview(server: ConsoleServer, owner: Screen) -> None:
    await owner.open("/console/leads?min_score=89.95")
    await owner.page.get_by_role("button", name="Push to Clay").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Pushing 1 lead to Clay...")
    await server.api.drain()
    await owner.page.reload()
    await owner.page.get_by_role("button", name="Push again").click()
    sheet = owner.page.get_by_role("dialog", name="Push preview")
    await expect(sheet).to_contain_text("Clay adds a second row")
    await sheet.get_by_role("button", name="Push 1 lead").click()
    await server.api.drain()
    assert sorted(server.api.receiver.leads.values()) == [2]


async def test_a_lead_and_its_delivery_look_right(server: ConsoleServer, owner: Screen) -> None:
    api = server.api
    job = await api.push_and_drain(api.lead_ids[:1])
    value = {"value": "zoe@example.com", "pinned": True}
    await api.call("PUT", f"/api/clay/leads/{api.lead_ids[0]}/enrichment/email", value)
    await owner.open(f"/console/leads/{api.lead_ids[0]}")
    await owner.page.get_by_label("Change E-mail address").click()
    await owner.review("lead")
    [delivery] = (await api.call("GET", f"/api/clay/jobs/{job['id']}/leads"))["leads"]
    await owner.open(f"/console/jobs/{job['id']}/leads/{delivery['delivery_id']}")
    await expect(owner.page.get_by_text("Clay accepted the lead.")).to_be_visible()
    await owner.review("delivery")
