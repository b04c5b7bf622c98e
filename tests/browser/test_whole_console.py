"""The whole console in Chromium: weight of the heaviest page, keyboard alone, no JavaScript, restarts, hidden tabs, many windows."""

import asyncio

import pytest
from playwright.async_api import Browser, Response, expect

from tests.browser.screen import Screen, observe, screen
from tests.harness.console_server import ConsoleServer, serve_console
from tests.harness.settings import access_token

pytestmark = pytest.mark.browser
MOST_TRANSFERRED = 60_000
MOST_SCRIPT = 50_000
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


async def test_heaviest_page_fits_its_budget_on_the_first_visit(server: ConsoleServer, owner: Screen) -> None:
    job_id = await server.api.queue()
    context = owner.page.context
    page = await context.new_page()
    observe(owner, page)
    devtools = await context.new_cdp_session(page)
    await devtools.send("Network.enable")
    await devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    transferred: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    scripts: list[Response] = []
    page.on("response", lambda answer: scripts.append(answer) if answer.url.endswith(".js") else None)
    await page.goto(f"{server.url}/console/jobs/{job_id}")
    await expect(page.locator("#announcement")).to_contain_text("still to be sent")
    assert 0 < sum(transferred) <= MOST_TRANSFERRED
    assert 0 < sum([len(await each.body()) for each in scripts]) <= MOST_SCRIPT


async def test_keyboard_alone_opens_a_job_searches_and_cancels_it(server: ConsoleServer, owner: Screen) -> None:
    job_id = await server.api.queue()
    await owner.open("/console/jobs")
    keys = owner.page.keyboard
    await keys.press("j")
    await expect(owner.page.get_by_role("link", name="Of 5 leads")).to_be_focused()
    await keys.press("Enter")
    await owner.page.wait_for_url(f"**/console/jobs/{job_id}")
    await keys.press("/")
    await expect(owner.page.get_by_label("Find a lead")).to_be_focused()
    await keys.type("nothing-like-this?")
    await keys.press("Enter")
    await expect(owner.page.get_by_role("heading", name="No lead found")).to_be_visible()
    await keys.press("?")
    await expect(owner.page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    await owner.page.get_by_label("Use keyboard shortcuts").focus()
    await keys.press("Space")
    await keys.press("Escape")
    await keys.press("?")
    await expect(owner.page.get_by_role("heading", name="Keyboard shortcuts")).to_be_hidden()
    await owner.page.get_by_role("button", name="Cancel the push").focus()
    await keys.press("Enter")
    await owner.page.get_by_role("dialog").get_by_role("button", name="Cancel the push").focus()
    await keys.press("Enter")
    await expect(owner.page.locator("#messages")).to_contain_text("Cancelled: 5 leads will not be sent")


async def test_without_javascript_leads_are_pushed_and_a_push_is_cancelled(
    browser: Browser, server: ConsoleServer
) -> None:
    async with screen(browser, server.url, java_script_enabled=False) as plain:
        await plain.open("/console/")
        await plain.page.get_by_label("Service key").fill(access_token("owner"))
        await plain.page.get_by_role("button", name="Sign in with the key").click()
        await plain.open("/console/leads?min_score=89.75")
        await plain.page.get_by_role("button", name="Push all filtered leads").click()
        await plain.page.get_by_role("button", name="Push 3 leads").click()
        await expect(plain.page.locator("#messages")).to_contain_text("Pushing 3 leads to Clay...")
        await plain.page.get_by_role("button", name="Cancel the push").click()
        await plain.page.get_by_role("dialog").get_by_role("button", name="Cancel the push").click()
        await expect(plain.page.locator("#messages")).to_contain_text("Cancelled: 3 leads will not be sent")
        async with plain.page.expect_download() as download:
            await plain.page.get_by_role("link", name="Download CSV").click()
        assert "clay-push-" in (await download.value).suggested_filename


async def test_live_page_survives_a_restart_and_a_hidden_tab(browser: Browser, database_url: str) -> None:
    async with serve_console(database_url) as server, screen(browser, server.url) as owner:
        owner.expected += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"]
        await owner.sign_in()
        job_id = await server.api.queue()
        await owner.open(f"/console/jobs/{job_id}")
        live = owner.page.locator("#live")
        await expect(owner.page.locator("#announcement")).to_contain_text("5 are still to be sent")
        await owner.page.evaluate(HIDE, True)
        await server.restart()
        await server.api.drain()
        await expect(live).to_contain_text("5 are still to be sent")
        await owner.page.evaluate(HIDE, False)
        await expect(live).to_contain_text("Of 5 leads, 5 are in Clay.")
        await expect(live).to_contain_text("Finished")


async def test_eight_windows_show_the_same_job_live(browser: Browser, database_url: str) -> None:
    async with serve_console(database_url) as server, screen(browser, server.url) as owner:
        await owner.sign_in()
        job_id = await server.api.queue()
        windows = [await owner.page.context.new_page() for _ in range(8)]
        for window in windows:
            observe(owner, window)
            await window.goto(f"{server.url}/console/jobs/{job_id}")
            await expect(window.locator("#announcement")).to_contain_text("5 are still to be sent")
        polling = [await window.locator("#stream[hx-get]").count() for window in windows]
        assert 0 < sum(polling) < len(windows)
        draining = asyncio.create_task(server.api.drain())
        for window in windows:
            await expect(window.locator("#live")).to_contain_text("Of 5 leads, 5 are in Clay.")
        await draining
