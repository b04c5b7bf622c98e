"""The sandbox's page in a browser: its content. Hostile lead data is shown as text."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.sandbox.webhook import Webhook, payload

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="the page is tested in /usr/bin/chromium, which is not here"
)

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "</td><svg onload='window.hacked = 1'>",
    '"><a href="javascript:window.hacked=1">x</a>',
    "{{constructor.constructor('window.hacked=1')()}}",
    "\u202egnp.exe\u202c",
    "محمد الفاتح",
    "Zoë 🦊👩‍💻",
]


@dataclass(frozen=True)
class Browser:
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def open(self, webhook: Webhook) -> None:
        await self.page.goto(f"{webhook.sandbox.url}/?source={webhook.source}")
        await expect(self.page.locator("#live")).to_have_text("Live")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        opened = Browser(await chromium.new_page())
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
        yield opened
        await chromium.close()


async def test_hostile_lead_data_is_shown_as_text(browser: Browser, webhook: Webhook) -> None:
    for n, text in enumerate(HOSTILE):
        await webhook.post(
            payload(f"d-{n}", text, full_name=text, nested={text: [text]}, **{text: text, "__proto__": text})
        )
    await browser.open(webhook)
    page = browser.page
    await expect(page.locator("tbody tr")).to_have_count(len(HOSTILE))
    shown = await page.locator("tbody tr td:nth-child(3)").all_text_contents()
    assert shown == HOSTILE[::-1]
    assert await page.locator("main :is(script, img, svg, a), dialog :is(script, img, svg, a)").count() == 0
    for n in range(len(HOSTILE)):
        await page.locator("tbody tr button").nth(n).press("Enter")
        await expect(page.locator("#detail-json")).to_contain_text(HOSTILE[-1 - n].replace('"', '\\"'))
        await page.keyboard.press("Escape")
    assert await page.evaluate("typeof window.hacked") == "undefined"
    assert browser.complaints == []


async def test_an_injected_script_does_not_run(browser: Browser, webhook: Webhook) -> None:
    await browser.open(webhook)
    await browser.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked=1\">')"
    )
    await expect(browser.page.locator("#live")).to_have_text("Live")
    await browser.page.wait_for_timeout(200)
    assert await browser.page.evaluate("typeof window.hacked") == "undefined"
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)


async def test_new_rows_and_duplicates_appear_by_themselves(browser: Browser, webhook: Webhook) -> None:
    await browser.open(webhook)
    page = browser.page
    await expect(page.locator("#empty")).to_contain_text("Each POST to this webhook creates one row:")
    await webhook.post(payload("d-1", "l-1"))
    await expect(page.locator("tbody tr")).to_have_count(1)
    await webhook.post(payload("d-1", "l-1", title="x" * 500))
    await webhook.post([1, 2])
    await webhook.client.post(webhook.url, content=b"{", headers={"content-type": "application/json"})
    await expect(page.locator("tbody tr")).to_have_count(3)
    await expect(page.locator("tbody tr.duplicate")).to_have_count(1)
    await expect(page.locator("#duplicates")).to_have_class("bad")
    await expect(page.locator("#refused")).to_have_text("1")
    await expect(page.locator("#refused-by")).to_have_text(re.compile("[a-z ]+: 1"))
    await expect(page.locator("#quota-text")).to_have_text("3 of 50,000")
    assert await page.locator("thead th").all_text_contents() == [
        "#", "Arrived", "full_name", "title", "(not an object)", "_meta",
    ]  # fmt: skip
    assert await page.locator("tr.duplicate td").nth(2).get_attribute("title") == "x" * 500
    assert browser.complaints == []


async def test_the_list_has_pages_of_100_and_keyboard_navigation(browser: Browser, webhook: Webhook) -> None:
    for n in range(205):
        await webhook.post(payload(f"d-{n}", f"l-{n}", number=n))
    await browser.open(webhook)
    page = browser.page
    first_cells = page.locator("tbody tr td:nth-child(4)")
    await expect(first_cells.first).to_have_text("204")
    await expect(first_cells).to_have_count(100)
    await page.get_by_role("button", name="Older").click()
    await expect(first_cells.first).to_have_text("104")
    await page.get_by_role("button", name="Older").click()
    await expect(first_cells).to_have_count(5)
    await expect(page.get_by_role("button", name="Older")).to_be_disabled()
    await page.locator("tbody tr button").first.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#detail-json")).to_contain_text('"number": 3')
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Newer").click()
    await page.get_by_role("button", name="Newer").click()
    await expect(first_cells.first).to_have_text("204")
    assert browser.complaints == []


async def test_a_row_is_opened_by_a_named_button(browser: Browser, webhook: Webhook) -> None:
    await webhook.post(payload("d-1", "l-1"))
    await browser.open(webhook)
    await browser.page.get_by_role("button", name="Row 1: show all fields").click()
    await expect(browser.page.locator("#detail")).to_be_visible()


async def test_the_page_explains_the_counters(browser: Browser, webhook: Webhook) -> None:
    await browser.open(webhook)
    for meaning in (
        "rows with a repeated delivery id",
        "above the workspace's rate limit, not stored",
        "as configured",
        "over the last 10 seconds",
    ):
        await expect(browser.page.get_by_text(meaning)).to_be_visible()


async def test_a_failed_page_change_is_reported_and_can_be_repeated(browser: Browser, webhook: Webhook) -> None:
    for n in range(101):
        await webhook.post(payload(f"d-{n}", f"l-{n}", number=n))
    await browser.open(webhook)
    page = browser.page
    await expect(page.get_by_role("button", name="Older")).to_be_enabled()
    await page.route("**/rows?*cursor=*", lambda route: route.abort())
    await page.get_by_role("button", name="Older").click()
    await expect(page.locator("#live")).to_have_text("Sandbox not reachable")
    await page.unroute_all()
    await page.get_by_role("button", name="Older").click()
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_without_a_webhook_the_page_explains_how_to_create_one(browser: Browser, webhook: Webhook) -> None:
    await webhook.sandbox.admin.delete(f"/sandbox/sources/{webhook.source}")
    await browser.page.route("**/sandbox/sources", lambda route: route.fulfill(json={"sources": []}))
    await browser.page.goto(webhook.sandbox.url)
    await expect(browser.page.locator("#empty")).to_contain_text("No webhook yet.")


async def test_the_page_reports_an_unreachable_sandbox(browser: Browser, webhook: Webhook) -> None:
    await browser.open(webhook)
    await webhook.sandbox.kill()
    await expect(browser.page.locator("#live")).to_have_text("Sandbox not reachable")
    await webhook.sandbox.start()
    await expect(browser.page.locator("#live")).to_have_text("Live")
