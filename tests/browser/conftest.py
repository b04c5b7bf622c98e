"""Chromium, and the console on a port of this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.screen import Screen, screen
from tests.harness.console_server import ConsoleServer, serve_console

CHROMIUM = Path("/usr/bin/chromium")
expect.set_options(timeout=30_000)  # a busy machine is slow; no test measures time


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield chromium
        await chromium.close()


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[ConsoleServer]:
    async with serve_console(database_url) as made:
        yield made


@pytest.fixture
async def owner(browser: Browser, server: ConsoleServer) -> AsyncIterator[Screen]:
    """A window in which the owner is signed in."""
    async with screen(browser, server.url) as made:
        await made.sign_in()
        yield made
