"""The list of jobs and a job in Chromium: looks, live progress, cancel, retry of a cause."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.screen import Screen, screen
from tests.harness.console_server import ConsoleServer, serve_console
from tests.support.receiver import status

pytestmark = pytest.mark.browser


async def test_jobs_and_a_job_with_failures_look_right(server: ConsoleServer, owner: Screen) -> None:
    server.api.receiver.answer = lambda number, _: status(422 if number < 2 else 200)
    job = await server.api.push_and_drain()
    await owner.open("/console/jobs")
    await expect(owner.page.get_by_role("link", name="Of 5 leads")).to_be_visible()
    await owner.review("jobs")
    await owner.open(f"/console/jobs/{job['id']}")
    await expect(owner.page.get_by_role("heading", name="Push to Leads")).to_be_visible()
    await owner.review("job")


async def test_a_running_push_is_updated_live_and_ends_as_the_finished_page(
    browser: Browser, database_url: str
) -> None:
    async with (
        serve_console(database_url, leads=140, rate_limit_ms=100) as server,
        screen(browser, server.url) as owner,
    ):
        await owner.sign_in()
        job_id = await server.api.queue()
        await owner.open(f"/console/jobs/{job_id}")
        live = owner.page.locator("#live")
        await expect(live).to_contain_text("140 are still to be sent")
        before = await owner.page.evaluate("window.shifted")
        draining = asyncio.create_task(server.api.drain())
        await expect(live).to_contain_text("leads per second, about")
        await expect(live).to_contain_text("more leads have an outcome")
        await expect(live).to_contain_text(re.compile(r"1\d\d more leads have an outcome"))
        assert await owner.page.evaluate("window.shifted") == before, "ten seconds of updates move nothing"
        await owner.review("job-live")
        await expect(live).to_contain_text("Of 140 leads, 140 are in Clay.")
        await expect(owner.page.get_by_role("button", name="Cancel the push")).to_have_count(0)
        await expect(live).to_contain_text("Finished")
        await draining


async def test_cancel_shows_sent_leads_and_leads_that_will_not_be_sent(server: ConsoleServer, owner: Screen) -> None:
    job_id = await server.api.queue()
    await owner.open(f"/console/jobs/{job_id}")
    await owner.page.get_by_role("button", name="Cancel the push").click()
    sheet = owner.page.get_by_role("dialog", name="Cancel this push?")
    await expect(sheet).to_contain_text("5 leads will not be sent")
    await owner.review("job-cancel")
    await sheet.get_by_role("button", name="Cancel the push").click()
    await expect(owner.page.locator("#messages")).to_contain_text(
        "Cancelled: 5 leads will not be sent; 0 were already sent to Clay."
    )
    await owner.review("job-cancelled")


async def test_retry_of_a_cause_sends_exactly_its_leads(server: ConsoleServer, owner: Screen) -> None:
    server.api.receiver.answer = lambda number, _: status(422 if number < 2 else 200)
    job = await server.api.push_and_drain()
    await owner.open(f"/console/jobs/{job['id']}")
    await owner.page.get_by_role("button", name="Retry 2 leads").click()
    await expect(owner.page.get_by_text("Of 2 leads, 2 are still to be sent.").first).to_be_visible()
    await expect(owner.page.get_by_text("Retry of an earlier push")).to_be_visible()
