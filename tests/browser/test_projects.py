"""A project's auto-export rule in Chromium."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.harness.console_server import ConsoleServer

pytestmark = pytest.mark.browser


async def test_auto_export_is_saved_and_previewed(server: ConsoleServer, owner: Screen) -> None:
    await owner.open("/console/projects")
    await owner.review("projects")
    await owner.open(f"/console/projects/{server.api.project_id}")
    await owner.page.get_by_label("Push new leads to Clay after each completed scan").check()
    await owner.page.get_by_label("Minimum score").fill("89.75")
    await owner.page.get_by_role("button", name="Save the rule").click()
    await expect(owner.page.get_by_text("3 pass the saved rule")).to_be_visible()
    await owner.review("project-rule")


async def test_auto_enrich_is_refused_without_a_budget_then_saved(server: ConsoleServer, owner: Screen) -> None:
    await owner.open(f"/console/projects/{server.api.project_id}/auto-enrich")
    await owner.page.get_by_label("Enrich new leads after each completed scan").check()
    await owner.page.get_by_role("button", name="Save the rule").click()
    await expect(owner.page.locator("#messages")).to_contain_text("A rule needs a daily budget")
    budget = {"credits_per_day": 100, "actions_per_day": None}
    await server.api.call("PUT", "/api/clay/enrichment/config", {"budget": budget})
    await owner.page.get_by_label("Enrich new leads after each completed scan").check()
    await owner.page.get_by_role("button", name="Save the rule").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Auto-enrich is on")
    await owner.review("project-auto-enrich")
