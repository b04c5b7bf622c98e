"""A page in Chromium that fails its test on any policy violation, request to another origin, script error or console error."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, ConsoleMessage, Page, Request, ViewportSize, expect

from tests.harness.settings import access_token

HERE = Path(__file__).parent
SCREENSHOTS = HERE / "screenshots"
"""Outside git. `make test-browser` writes them; look at each one after a change."""
AXE = HERE / "node_modules/axe-core/axe.min.js"
Theme = Literal["light", "dark"]
WIDE = ViewportSize(width=1280, height=900)
NARROW = ViewportSize(width=390, height=844)
LOOKS: Mapping[str, tuple[ViewportSize, Theme]] = {
    "light": (WIDE, "light"), "dark": (WIDE, "dark"), "narrow": (NARROW, "light"), "narrow-dark": (NARROW, "dark"),
}  # fmt: skip
REPORT_VIOLATIONS = """
addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
MEASURE_SHIFTS = """
window.shifted = [];
new PerformanceObserver((list) => { for (const entry of list.getEntries()) for (const source of entry.sources)
  window.shifted.push(`${source.node?.outerHTML ?? source.node?.textContent}`.slice(0, 160)); })
  .observe({ type: 'layout-shift', buffered: true });
"""


@dataclass
class Screen:
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of complaints that the test provokes, such as the status of a refused page."""

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def sign_in(self, who: str = "owner", org_id: object = "") -> None:
        """As NexusLeads' frontend leaves it: the token in localStorage; the console takes it by itself."""
        await self.page.goto(f"{self.url}/console/static/none")
        items = {"token": access_token(who), "activeOrgId": str(org_id)}
        await self.page.evaluate(
            "items => Object.entries(items).forEach(([k, v]) => localStorage.setItem(k, v))", items
        )
        await self.page.goto(f"{self.url}/console/")
        await expect(self.page.get_by_role("navigation", name="Main")).to_be_attached()

    async def violations(self) -> Sequence[str]:
        """What axe finds, one line for each element."""
        await self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['html'][:160]} {json.dumps([check['message'] for check in node['any']])[:300]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    async def show_as(self, look: str) -> None:
        viewport, theme = LOOKS[look]
        await self.page.set_viewport_size(viewport)
        await self.page.emulate_media(color_scheme=theme)

    async def review(self, name: str) -> None:
        """Take a screenshot in each look, and require that axe finds nothing and nothing is wider than the window."""
        SCREENSHOTS.mkdir(exist_ok=True)
        for look in LOOKS:
            await self.show_as(look)
            await self.page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png", full_page=True)
            overflow = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{name} ({look}) is {overflow} px wider than the window"
            found = await self.violations()
            assert not found, f"{name} ({look}):\n" + "\n".join(found)
        await self.show_as("light")

    @property
    def unexpected(self) -> Sequence[str]:
        return [each for each in self.complaints if not any(part in each for part in self.expected)]


@asynccontextmanager
async def screen(browser: Browser, url: str, **options: Any) -> AsyncIterator[Screen]:
    """A window with its own storage. `options`: of Playwright's new_context."""
    context = await browser.new_context(viewport=WIDE, reduced_motion="reduce", **options)
    context.set_default_timeout(15_000)
    if options.get("java_script_enabled", True):
        await context.add_init_script(REPORT_VIOLATIONS)
        await context.add_init_script(MEASURE_SHIFTS)
    made = Screen(await context.new_page(), url, expected=["/console/static/none", "status of 401"])
    observe(made, made.page)
    yield made
    assert made.unexpected == []
    await context.close()


def observe(made: Screen, page: Page) -> None:
    """Record what this page complains about; also for further windows of the same context."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            made.complaints.append(f"{message.text} {message.location.get('url', '')}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((made.url + "/", "data:", "blob:")):
            made.complaints.append(f"request to another origin: {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: made.complaints.append(f"script error: {error}"))
    page.on("request", on_request)
