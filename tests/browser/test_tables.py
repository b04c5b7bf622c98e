"""Destinations, mappings, routes and schedules in Chromium, in every look."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.harness.console_server import ConsoleServer

pytestmark = pytest.mark.browser
DESTINATIONS = "/console/destinations"


async def test_a_second_destination_is_added_tested_and_shown(server: ConsoleServer, owner: Screen) -> None:
    owner.expected += ["status of 422"]
    await owner.open(DESTINATIONS)
    await owner.page.get_by_role("link", name="Add a destination").click()
    await owner.review("destination-new")
    await owner.page.get_by_label("Name").fill("Крупные клиенты (Enterprise)")
    await owner.page.get_by_label("Webhook URL").fill("http://10.0.0.1/none")
    await owner.page.get_by_label("A second row of the same lead").select_option("keeps_oldest")
    await owner.page.get_by_role("button", name="Save the destination").click()
    await expect(owner.page.get_by_role("alert")).to_contain_text("Nothing was saved.")
    await owner.review("destination-refused")
    await owner.page.get_by_label("Webhook URL").fill(f"{server.api.receiver.url}/second")
    await owner.page.get_by_label("Column by which Clay finds it").fill("GitHub user name")
    await owner.page.get_by_role("button", name="Save the destination").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Clay accepted a test row.")
    await expect(owner.page.locator(".stages").get_by_text("Passed")).to_have_count(6)
    await owner.review("destination")
    await owner.open(DESTINATIONS)
    await expect(owner.page.get_by_role("row")).to_have_count(3)
    await owner.review("destinations")
    await owner.open("/console/workspaces")
    await owner.page.get_by_label("Name").last.fill("Sales")
    await owner.page.get_by_role("button", name="Add the workspace").click()
    await expect(owner.page.get_by_role("heading", name="Sales")).to_be_visible()
    await owner.review("workspaces")


async def test_a_segment_is_counted_and_saved(owner: Screen) -> None:
    await owner.open("/console/segments")
    await owner.review("segments-empty")
    await owner.page.get_by_role("link", name="Add a segment").click()
    await owner.page.get_by_label("Score from").fill("89.75")
    await owner.page.get_by_role("button", name="Count the leads").click()
    await expect(owner.page.get_by_role("heading", name="3 leads match now")).to_be_visible()
    await owner.page.get_by_label("Name", exact=True).fill("Лучшие")
    await owner.page.get_by_label("Not these companies").fill("Acme, Initech")
    await owner.page.get_by_role("button", name="Save the segment").click()
    await expect(owner.page.locator("#messages")).to_contain_text("The segment “Лучшие” is saved.")
    await owner.review("segment")
    await owner.open("/console/segments")
    await owner.review("segments")


async def test_a_schedule_is_previewed_saved_and_run(owner: Screen) -> None:
    await owner.open("/console/schedules")
    await owner.review("schedules-empty")
    await owner.page.get_by_role("link", name="Add a schedule").click()
    await owner.page.get_by_label("Name", exact=True).fill("Каждое утро")
    await owner.page.get_by_label("Time zone").fill("Europe/Berlin")
    await owner.page.get_by_role("button", name="Preview the runs").click()
    await expect(owner.page.get_by_role("heading", name="What a run would do now")).to_be_visible()
    await owner.review("schedule-form")
    await owner.page.get_by_role("button", name="Save the schedule").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Every day at 09:00 Europe/Berlin")
    await owner.page.get_by_role("button", name="Run now").click()
    await expect(owner.page.get_by_role("link", name="Show the push")).to_be_visible()
    await owner.page.get_by_role("link", name="Preview").click()
    await expect(owner.page.get_by_text("Nothing is pushed by this preview.")).to_be_visible()
    await owner.review("schedule")
    await owner.open("/console/schedules")
    await owner.review("schedules")


async def test_routes_are_arranged_saved_and_simulated(server: ConsoleServer, owner: Screen) -> None:
    segment = {"name": "Лучшие", "filters": {"min_score": 89.75}}
    await server.api.call("POST", "/api/clay/segments", segment)
    await owner.open("/console/routes")
    await owner.review("routes-empty")
    await owner.page.get_by_role("button", name="Add a route").click()
    await owner.page.get_by_label("Leads of the segment").select_option(label="Лучшие")
    await owner.page.get_by_role("button", name="Add a route").click()
    await expect(owner.page.get_by_label("Leads of the segment").last).to_be_focused()
    await owner.page.get_by_label("go to").last.select_option("")
    await owner.page.get_by_role("button", name="Save the routes").click()
    await expect(owner.page.locator("#messages")).to_contain_text("2 routes saved.")
    await owner.review("routes")
    await owner.open(f"/console/routes/simulate?what={server.api.project_id}")
    await expect(owner.page.get_by_role("heading", name="Lead by lead")).to_be_visible()
    await owner.review("routes-simulation")
    await owner.open("/console/leads")
    await owner.page.get_by_role("button", name="Push all leads of the project").click()
    await expect(owner.page.get_by_role("heading", name="Where they go")).to_be_visible()
    await owner.review("push-preview-routed")


async def test_a_mapping_is_edited_with_a_live_preview_and_used(owner: Screen) -> None:
    await owner.open("/console/mappings")
    await owner.review("mappings-empty")
    await owner.open("/console/templates")
    await owner.review("templates")
    await owner.open("/console/mappings/new?template=lean_outbound")
    await owner.page.get_by_label("Name of the mapping").fill("Исходящие")
    preview = owner.page.locator(".editor-preview")
    await owner.page.get_by_label("Add a column from the field").select_option("bio")
    await owner.page.get_by_role("button", name="Add the column").click()
    await expect(preview.locator("dt").get_by_text("bio", exact=True).first).to_be_visible()
    await owner.review("mapping-editor")
    await owner.page.get_by_role("button", name="Save the mapping").click()
    await expect(owner.page.locator("#messages")).to_contain_text("Version 1 is saved.")
    await owner.review("mapping")
