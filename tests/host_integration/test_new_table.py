"""If a webhook is saved by a way that has no `new_table`, responses offer once to declare a new table."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_local_api
from tests.host_integration.frontend_calls import BASE, push, save
from tests.host_integration.host_settings import CONFIG, audited_actions, config, write_host_settings

NEW_TABLE = f"{CONFIG}/new-table"


@pytest.fixture
async def page(database_url: str) -> AsyncIterator[Api]:
    async with run_local_api(database_url) as connected:
        yield connected


async def offered(app: Api) -> bool:
    """Returns the offer. Checks that every response shows the same one."""
    report = {
        path: (await app.get(path, "member")).json() for path in (CONFIG, "/api/clay/status", f"{BASE}/clay/config")
    }
    found = {answer["offers_new_table"] for answer in report.values()}
    assert len(found) == 1
    return bool(found.pop())


async def declare(app: Api, version: int, who: str = "owner", status: int = 200) -> dict[str, object]:
    answer = await app.send("POST", NEW_TABLE, who, json={"version": version})
    assert answer.status_code == status, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_leads_are_sent_again_after_the_url_of_the_page_is_declared_a_new_table(page: Api) -> None:
    app = page
    await save(page, page.receiver.url)
    assert not await offered(app)
    lead = await app.host.lead(await app.host.project(app.org_id))
    assert (await push(page, contributor_ids=[str(lead)]))["skipped_count"] == 0
    await page.drain()
    await save(page, page.receiver.url + "-other")
    assert await offered(app)
    assert (await push(page, contributor_ids=[str(lead)]))["skipped_count"] == 1
    seen = await declare(app, 2)
    assert (seen["table_epoch"], seen["offers_new_table"]) == (2, False)
    assert (await push(page, contributor_ids=[str(lead)]))["skipped_count"] == 0


async def test_a_new_table_is_declared_once_per_url_and_audited(page: Api) -> None:
    app = page
    await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    for _ in range(3):
        assert (await declare(app, 2, "admin"))["table_epoch"] == 2
    assert (await audited_actions(app)).count(("user:admin", "config.changed")) == 1
    await app.put(CONFIG, "owner", {"webhook_token": "s3cret"})  # the same URL in another version
    assert not await offered(app)
    assert (await declare(app, 3))["table_epoch"] == 2
    await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
    assert await offered(app)
    assert (await declare(app, 4))["table_epoch"] == 3


async def test_a_new_table_that_the_save_declares_is_not_offered(page: Api) -> None:
    app = page
    await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK, "new_table": True})
    assert not await offered(app)
    assert (await declare(app, 2))["table_epoch"] == 2


async def test_declaring_another_version_than_the_present_one_is_refused(page: Api) -> None:
    app = page
    assert (await declare(app, 1, status=409))["code"] == "config_changed"
    await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    assert (await declare(app, 1, status=409))["code"] == "config_changed"
    assert (await declare(app, 2, "member", status=403))["code"] == "role_required"
    assert (await config(app))["table_epoch"] == 1


async def test_a_new_table_is_offered_for_a_change_in_the_settings_of_the_host(page: Api) -> None:
    app = page
    await write_host_settings(app, webhook_url=WEBHOOK)
    await config(app)
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    pending = (await config(app))["pending"]
    assert isinstance(pending, dict)
    assert not await offered(app)
    path = f"{CONFIG}/pending/{pending['id']}/confirm"
    seen = (await app.send("POST", path, "owner", json={})).json()
    assert (seen["table_epoch"], seen["offers_new_table"]) == (1, True)
    assert (await declare(app, 2))["table_epoch"] == 2


async def test_a_confirmation_can_declare_a_new_table(page: Api) -> None:
    app = page
    await write_host_settings(app, webhook_url=WEBHOOK)
    await config(app)
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    pending = (await config(app))["pending"]
    assert isinstance(pending, dict)
    path = f"{CONFIG}/pending/{pending['id']}/confirm"
    seen = (await app.send("POST", path, "owner", json={"new_table": True})).json()
    assert (seen["table_epoch"], seen["offers_new_table"]) == (2, False)
