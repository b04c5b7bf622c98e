"""States with a next step in Chromium: the database is away, and no lead is left to push."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.harness.console_server import ConsoleServer

pytestmark = pytest.mark.browser


async def test_without_its_database_a_page_names_the_next_step_and_recovers(
    server: ConsoleServer, owner: Screen
) -> None:
    owner.expected.append("status of 503")
    await owner.open("/console/leads?min_score=89.95")
    async with server.without_database():
        await owner.page.get_by_role("button", name="Push to Clay").click()
        await expect(owner.page.get_by_role("heading", name="Not available now")).to_be_visible()
        await expect(owner.page.locator("main")).to_contain_text("Nothing was changed. Go back in the browser")
        await owner.open("/console/jobs")
        await expect(owner.page.get_by_role("heading", name="Not available now")).to_be_visible()
        await owner.review("database-away")
    await owner.page.get_by_role("link", name="Try again").click()
    await expect(owner.page.get_by_role("heading", name="No pushes yet")).to_be_visible()
    await owner.open("/console/leads?min_score=89.95")
    await owner.page.get_by_role("button", name="Push to Clay").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Pushing 1 lead to Clay...")


async def test_when_no_lead_is_left_the_preview_says_why_and_what_to_do(server: ConsoleServer, owner: Screen) -> None:
    await server.api.push_and_drain()
    await owner.open("/console/leads")
    await owner.page.get_by_role("button", name="Push all leads of the project").click()
    sheet = owner.page.get_by_role("dialog", name="Push preview")
    await expect(sheet.get_by_role("heading", name="Nothing to push")).to_be_visible()
    await expect(sheet).to_contain_text("5: Already in your Clay table.")
    await owner.review("leads-nothing-left")
    await sheet.get_by_role("button", name="Include leads that are in Clay").click()
    await expect(owner.page.get_by_role("heading", name="Push 5 leads to the Clay table Leads?")).to_be_visible()
