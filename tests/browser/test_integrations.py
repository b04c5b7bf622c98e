"""Overview and integrations in Chromium: every state, connecting, the staged test, and copying without a secure context."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.harness.api import Api
from tests.harness.console_server import ConsoleServer
from tests.support.receiver import status

pytestmark = pytest.mark.browser
CLAY = "/console/integrations/clay"
NOT_CONFIGURED = "Configure your Clay webhook URL in Settings → Integrations"


async def days_of_pushes(api: Api) -> None:
    """Five pushes on five days, two leads of each failed."""
    for number in range(5):
        api.receiver.answer = lambda sent, _: status(422 if sent % 5 in {0, 1} else 200)
        job = await api.push_and_drain(push_again=True)
        await api.installation.fetch(
            f"UPDATE clay.push_jobs SET created_at = created_at - interval '{2 * number} days' WHERE id = '{job['id']}'"
        )
    api.receiver.answer = lambda _, __: status(200)


async def test_overview_and_panel_of_a_connected_organization(server: ConsoleServer, owner: Screen) -> None:
    await owner.open("/console/")
    await expect(owner.page.get_by_text("No pushes yet")).to_be_visible()
    await owner.review("overview-empty")
    await days_of_pushes(server.api)
    await owner.open("/console/")
    await expect(owner.page.get_by_text("Connected")).to_be_visible()
    await owner.review("overview")
    await owner.open("/console/integrations")
    await expect(owner.page.get_by_text("Coming soon")).to_have_count(2)
    await owner.review("integrations")
    await owner.open(CLAY)
    await owner.page.get_by_role("button", name="Test the connection").click()
    await expect(owner.page.locator(".stages").get_by_text("Passed")).to_have_count(6)
    await owner.review("clay-connected")


async def test_connect_by_pasting_and_testing_in_place(server: ConsoleServer, owner: Screen) -> None:
    await server.api.call("DELETE", "/api/clay/config")
    await owner.open("/console/")
    await expect(owner.page.get_by_text(NOT_CONFIGURED)).to_be_visible()
    await owner.review("overview-not-configured")
    await owner.page.get_by_role("link", name="Configure Clay").click()
    await expect(owner.page.get_by_text(NOT_CONFIGURED)).to_be_visible()
    await owner.review("clay-not-configured")
    await owner.page.get_by_label("Webhook URL").fill("http://10.0.0.1/none")
    await owner.page.get_by_role("button", name="Save").click()
    await expect(owner.page.get_by_role("alert")).to_contain_text("inside a private network")
    await owner.page.get_by_label("Webhook URL").fill(server.api.receiver.url)
    await owner.page.get_by_label("Table name").fill("Inbound leads")
    await owner.page.get_by_role("button", name="Save").click()
    await expect(owner.page.locator("#messages")).to_contain_text("The settings are saved. Clay accepted a test row.")
    assert (await server.api.call("GET", "/api/clay/config"))["table_name"] == "Inbound leads"


async def test_a_failed_test_names_the_stage_the_cause_and_the_remedy(server: ConsoleServer, owner: Screen) -> None:
    server.api.receiver.answer = lambda _, __: status(401)
    await owner.open(CLAY)
    await owner.page.get_by_role("button", name="Test the connection").click()
    failed = owner.page.locator(".stage", has_text="Auth token")
    await expect(failed).to_contain_text("Failed")
    await expect(failed).to_contain_text("Clay rejected the auth token of the webhook.")
    await expect(failed).to_contain_text("Copy the webhook source's token from Clay")
    await expect(owner.page.locator(".stage", has_text="Sample row")).to_contain_text("Not run")
    await owner.review("clay-test-failed")


@pytest.mark.parametrize(
    ("name", "state", "text"),
    [
        ("closed", "state = 'closed', state_reason = 'unauthorized'", "auth token"),
        (
            "waiting",
            "state = 'waiting', state_reason = 'clay_unavailable', probe_at = now() + interval '1 min'",
            "stay queued",
        ),
    ],
)
async def test_a_destination_that_does_not_send_shows_the_reason(
    server: ConsoleServer, owner: Screen, name: str, state: str, text: str
) -> None:
    await server.api.installation.fetch(f"UPDATE clay.destination_versions SET {state}")
    await owner.open(CLAY)
    await expect(owner.page.get_by_text(name.capitalize(), exact=True)).to_be_visible()
    await expect(owner.page.locator("main .notice").first).to_contain_text(text)
    await owner.review(f"clay-{name}")


async def test_quota_used_up_shows_the_next_step(server: ConsoleServer, owner: Screen) -> None:
    await server.api.call("PUT", "/api/clay/config", {"quota_used": 50_000})
    await owner.open(CLAY)
    await expect(owner.page.get_by_text("All submissions are used up")).to_be_visible()
    await expect(owner.page.get_by_text("Create a new webhook source in Clay")).to_be_visible()
    await owner.review("clay-quota-used-up")


async def test_a_gated_organization_sees_the_lock_and_its_counts(server: ConsoleServer, owner: Screen) -> None:
    await server.api.push_and_drain()
    async with server.gated():
        await owner.open(CLAY)
        await expect(owner.page.get_by_text("Clay integration is available on the Enterprise plan.")).to_be_visible()
        await expect(owner.page.get_by_role("button", name="Test the connection")).to_be_disabled()
        await expect(owner.page.locator(".figures")).to_contain_text("In Clay5")
        await owner.review("clay-gated")
        await owner.open("/console/integrations")
        await owner.review("integrations-gated")


async def test_texts_of_the_set_up_are_copied_without_the_clipboard_api(server: ConsoleServer, owner: Screen) -> None:
    """Over plain http from another machine, `navigator.clipboard` does not exist."""
    await server.api.call("POST", "/api/clay/results-tokens")
    await owner.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    await owner.open(f"{CLAY}/set-up")
    await owner.review("set-up")
    button = owner.page.locator("button[data-copy=endpoint]")
    await button.click()
    await expect(button).to_have_text("Copied")
    await owner.page.evaluate(
        "document.getElementById('body').insertAdjacentHTML('afterend', '<textarea id=pasted></textarea>')"
    )
    await owner.page.locator("#pasted").focus()
    await owner.page.keyboard.press("Control+V")
    assert "/api/clay/results/" in await owner.page.locator("#pasted").input_value()
