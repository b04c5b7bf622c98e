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
