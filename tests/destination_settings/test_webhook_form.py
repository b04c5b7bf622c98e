"""URLs of Clay's pages that are pasted as a webhook are refused at save; other unusual URLs are saved with a warning."""

import pytest
from sqlalchemy import text

from clay_push_service.destination_settings.webhook_form import PAGE_REMEDY, Form, PageError, check_new_url, form_of
from clay_push_service.destinations.guard import Policy
from clay_push_service.settings import Settings
from tests.harness.api import WEBHOOK, Api
from tests.host_integration.host_settings import config, write_host_settings

CLAY = Policy.of(Settings(database_url="postgresql://x", allowed_webhook_hosts=("clay.com", "*.clay.com", "gate.test")))
CONFIG, FRONTEND = "/api/clay/config", "/api/integrations/clay/config"
PAGES = (
    "https://app.clay.com/workspaces/12345/tables/t_abc/views/v_1", "https://app.clay.com/workspaces/12345/home",
    "https://app.clay.com", "https://APP.CLAY.COM./login", "https://clay.com", "https://clay.com/", "https://www.clay.com/pricing",
    "https://clay.com/university", "https://university.clay.com/docs/webhook", "https://community.clay.com/x",
    "https://docs.clay.com/en/articles/1", "https://status.clay.com", "https://api.clay.com/workspaces/1/tables/t_1",
)  # fmt: skip
UNUSUAL = (
    "https://api.clay.com/v3/flows/run/1234",
    "https://api.clay.com/",
    "https://hooks.clay.com/a/b?c=d",
    "https://gate.test/x",
)


@pytest.mark.parametrize("url", PAGES)
def test_the_url_of_a_page_is_distinguished_from_a_webhook(url: str) -> None:
    with pytest.raises(PageError) as caught:
        check_new_url(url, CLAY)
    assert (caught.value.reason, caught.value.detail) == ("page_address", PAGE_REMEDY)
    assert PAGE_REMEDY == "This is the address of a page. Copy the webhook URL from the table's webhook source"


@pytest.mark.parametrize(
    ("url", "form"),
    [
        (WEBHOOK, Form.WEBHOOK),
        ("https://api.clay.com/v9/sources/webhook/another-slug/", Form.WEBHOOK),
        ("https://app.clay.com/v3/sources/webhook/pull-in-data-1", Form.WEBHOOK),
        ("https://gate.test/clay/v3/sources/webhook/1", Form.WEBHOOK),
        ("https://gate.test/workspaces/1", Form.OTHER),
        *((url, Form.OTHER) for url in UNUSUAL),
    ],
)
def test_a_url_that_is_not_a_page_can_be_saved(url: str, form: Form) -> None:
    assert form_of(check_new_url(url, CLAY)) is form


@pytest.mark.parametrize("url", PAGES[:6:5])
@pytest.mark.parametrize("path", [CONFIG, FRONTEND])
async def test_the_url_of_a_page_is_refused_at_save(app_client: Api, path: str, url: str) -> None:
    answer = await app_client.put(path, "owner", {"webhook_url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_blocked")
    assert (answer.json()["detail"], answer.json()["reason"]) == (PAGE_REMEDY, "page_address")
    assert (await app_client.get(CONFIG, "owner")).json()["configured"] is False


async def test_the_url_of_a_page_in_the_hosts_settings_is_not_used(app_client: Api) -> None:
    await write_host_settings(app_client, webhook_url=PAGES[0])
    seen = await config(app_client)
    assert seen["configured"] is False
    assert seen["problem"] == f"The webhook URL in NexusLeads' settings is not used: {PAGE_REMEDY}"


async def test_an_unusual_url_has_a_warning_until_another_is_saved(app_client: Api) -> None:
    saved = (await app_client.put(CONFIG, "owner", {"webhook_url": UNUSUAL[0]})).json()
    [warning] = saved["warnings"]
    assert "does not have the form" in warning
    assert (await app_client.get(CONFIG, "member")).json()["warnings"] == [warning]
    assert (await app_client.get(FRONTEND, "member")).json()["warnings"] == [warning]
    assert (await app_client.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()["warnings"] == []


async def test_a_stored_url_of_a_page_stays_in_use(app_client: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier release saved the URL without a check. Other settings and the URL itself can still be saved."""
    with monkeypatch.context() as earlier:
        earlier.setattr("clay_push_service.destination_settings.webhook_form.form_of", lambda _: Form.OTHER)
        assert (await app_client.put(CONFIG, "owner", {"webhook_url": PAGES[0]})).status_code == 200
    for body in ({"table_name": "Inbound"}, {"webhook_url": PAGES[0]}):
        answer = await app_client.put(CONFIG, "owner", body)
        assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert (await app_client.put(CONFIG, "owner", {"webhook_url": PAGES[1]})).status_code == 422
    async with app_client.database.transaction() as connection:
        assert (await connection.execute(text("SELECT state FROM clay.destination_versions"))).scalar_one() == "open"


@pytest.mark.parametrize("token", ["x-clay-webhook-auth: s3cret", "X-Clay-Webhook-Auth s3cret", "x-clay-webhook-auth"])
async def test_a_token_that_contains_the_header_name_is_refused(app_client: Api, token: str) -> None:
    answer = await app_client.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "webhook_token": token})
    assert answer.status_code == 422
    assert "without the header name" in answer.text
    assert "s3cret" not in answer.text
