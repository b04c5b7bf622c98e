"""Keys, tokens, audit log and erasure in Chromium."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.harness.console_server import ConsoleServer

pytestmark = pytest.mark.browser


async def test_keys_tokens_and_audit_look_right(owner: Screen) -> None:
    await owner.open("/console/keys")
    await owner.review("keys-empty")
    await owner.page.get_by_label("Name").fill("nightly push")
    await owner.page.get_by_role("button", name="Create the key").click()
    await expect(owner.page.get_by_role("heading", name="Copy the new key now")).to_be_visible()
    await owner.review("keys-new")
    await owner.page.get_by_role("button", name="Revoke", exact=True).click()
    await owner.page.get_by_role("button", name="Revoke the key").click()
    await expect(owner.page.get_by_text("Revoked", exact=True)).to_be_visible()
    await owner.open("/console/tokens")
    await owner.page.get_by_role("button", name="Create a token").click()
    await expect(owner.page.get_by_role("heading", name="Copy the new token now")).to_be_visible()
    await owner.review("tokens-new")
    await owner.open("/console/audit")
    await expect(owner.page.get_by_text("results_token.created")).to_be_visible()
    await owner.review("audit")


async def test_erasure_requires_a_confirmation_and_shows_the_receipt(server: ConsoleServer, owner: Screen) -> None:
    await server.api.push_and_drain()
    await owner.open("/console/privacy")
    await owner.review("privacy")
    await owner.page.get_by_label("Lead ids").fill(str(server.api.lead_ids[0]))
    await owner.page.get_by_role("button", name="Erase…").click()
    await expect(owner.page.get_by_role("heading", name="Erase 1 lead?")).to_be_visible()
    await owner.review("privacy-confirm")
    await owner.page.get_by_role("button", name="Erase 1 lead").click()
    await expect(owner.page.get_by_text("1 lead was erased and will not be pushed again")).to_be_visible()
    await owner.review("privacy-receipt")
