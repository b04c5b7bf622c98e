"""The push button on a page of NexusLeads in Chromium: its four states, a push, and a lead that changes."""

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.screen import Screen
from tests.harness.console_server import ConsoleServer

pytestmark = pytest.mark.browser
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page of NexusLeads</title>
<script type="module" src="/console/push-button.js"></script></head>
<body><main><h1>Lead</h1><clay-push-button lead-id="{lead_id}" {more}></clay-push-button></main></body></html>"""
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"


async def show_button(owner: Screen, lead_id: object, more: str = "") -> Locator:
    """A page of the same origin that has the element, under a strict policy."""

    async def answer(route: Route) -> None:
        headers = {"Content-Security-Policy": POLICY}
        await route.fulfill(body=PAGE.format(lead_id=lead_id, more=more), content_type="text/html", headers=headers)

    owner.expected.append("favicon.ico")
    await owner.page.route("**/nexusleads-lead", answer)
    await owner.open("/nexusleads-lead")
    return owner.page.locator("clay-push-button")


async def test_a_ready_button_pushes_the_lead_once(server: ConsoleServer, owner: Screen) -> None:
    lead_id = server.api.lead_ids[0]
    button = await show_button(owner, lead_id, f'project-id="{server.api.project_id}"')
    await expect(button).to_have_attribute("data-state", "ready")
    await button.get_by_role("button", name="Push to Clay").press("Enter")
    await expect(button.get_by_role("status")).to_have_text("Pushing 1 lead to Clay...")
    await expect(button.get_by_role("button")).to_be_focused()
    await button.get_by_role("button").press("Enter")
    assert [each["lead_count"] for each in (await server.api.call("GET", "/api/clay/jobs"))["jobs"]] == [1]
    assert await owner.violations() == []


async def test_a_lead_in_clay_links_to_its_page_and_another_lead_is_checked_again(
    server: ConsoleServer, owner: Screen
) -> None:
    first, second = server.api.lead_ids[:2]
    await server.api.push_and_drain([first])
    button = await show_button(owner, first)
    await expect(button).to_have_attribute("data-state", "in-clay")
    link = button.get_by_role("link", name="Already in Clay")
    await expect(link).to_have_attribute("href", f"/console/leads/{first}")
    await button.evaluate("(element, id) => element.setAttribute('lead-id', id)", str(second))
    await expect(button).to_have_attribute("data-state", "ready")


async def test_a_known_state_needs_no_request(server: ConsoleServer, owner: Screen) -> None:
    requests: list[str] = []
    owner.page.on("request", lambda request: requests.append(request.url))
    button = await show_button(owner, server.api.lead_ids[0], 'clay-state="in_clay"')
    await expect(button).to_have_attribute("data-state", "in-clay")
    assert [each for each in requests if "/api/clay/" in each] == []


async def test_without_a_webhook_the_button_leads_to_the_settings(server: ConsoleServer, owner: Screen) -> None:
    owner.expected.append("status of 409")
    await server.api.call("DELETE", "/api/clay/config")
    button = await show_button(owner, server.api.lead_ids[0])
    await expect(button).to_have_attribute("data-state", "not-configured")
    await expect(button.get_by_role("link", name="Configure Clay")).to_have_attribute(
        "href", "/console/integrations/clay"
    )


async def test_without_the_plan_the_button_is_locked_and_links_to_the_upgrade(
    server: ConsoleServer, owner: Screen
) -> None:
    owner.expected.append("status of 403")
    async with server.gated():
        button = await show_button(owner, server.api.lead_ids[0])
        await expect(button).to_have_attribute("data-state", "locked")
        await expect(button.get_by_role("link")).to_have_attribute("href", "https://nexusleads.example/upgrade")
