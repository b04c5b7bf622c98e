"""Settings that are refused at save: webhooks that the guard refuses, and invalid values."""

import pytest

from tests.destination_settings.config_calls import CONFIG, versions
from tests.harness.api import WEBHOOK, Api

REFUSED = {
    "http://169.254.169.254/": "not_https",
    "https://169.254.169.254/latest/meta-data": "ip_literal",
    "https://127.0.0.1/": "ip_literal",
    "https://clay.com.evil.io/v3": "host_not_allowed",
    "https://evilclay.com/": "host_not_allowed",
    "https://user:secret-word@api.clay.com/": "userinfo",
    "https://api.clay.com:8443/v3": "host_not_allowed",
    "not a url": "url_characters",
}


@pytest.mark.parametrize(("url", "reason"), REFUSED.items())
async def test_a_url_that_the_guard_refuses_is_not_saved_and_not_repeated_in_the_message(
    app_client: Api, url: str, reason: str
) -> None:
    answer = await app_client.put(CONFIG, "owner", {"webhook_url": url})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["reason"]) == (422, "webhook_blocked", reason)
    assert url not in answer.text
    assert "secret-word" not in answer.text
    assert await versions(app_client) == []


async def test_a_host_name_with_an_internal_address_is_refused_at_save(app_client: Api) -> None:
    app_client.resolver.addresses["api.clay.com"] = ["93.184.215.14", "10.0.0.8"]
    answer = await app_client.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
    assert (answer.status_code, answer.json()["reason"]) == (422, "address_not_public")
    assert app_client.resolver.lookups == ["api.clay.com"]
    assert await versions(app_client) == []


async def test_a_host_name_that_does_not_resolve_is_saved(app_client: Api) -> None:
    app_client.resolver.addresses["api.clay.com"] = []
    assert (await app_client.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).status_code == 200


BAD: dict[str, list[object]] = {
    "rate_limit_ms": [-1, 60_001, 0, 1, 99, "200", 1.5, None, True],
    "quota_used": [-1, 10**12, None],
    "quota_limit": [-1, "many"],
    "table_name": ["x" * 201, "two\nlines", 5],
    "webhook_token": ["two\nlines", "schlüssel", "x" * 513, ""],
    "webhook_url": [None, "", 5, "https://api.clay.com/" + "x" * 3000],
    "new_table": ["yes", 1],
    "unknown_word": [1],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
async def test_invalid_values_are_refused_and_change_nothing(app: Api, field: str, value: object) -> None:
    answer = await app.put(CONFIG, "owner", {field: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert len(await versions(app)) == 1
