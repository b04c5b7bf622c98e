"""Fixtures of the tests of destination settings: an API with a saved webhook, and receivers on real loopback sockets."""

from collections.abc import AsyncIterator

import pytest

from tests.clay.receivers import ReceiverOf, receivers
from tests.destination_settings.config_calls import CONFIG, TOKEN
from tests.harness.api import WEBHOOK, Api


@pytest.fixture
async def receiver_of() -> AsyncIterator[ReceiverOf]:
    async with receivers() as make:
        yield make


@pytest.fixture
async def app(app_client: Api) -> Api:
    answer = await app_client.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "webhook_token": TOKEN, "quota_used": 7})
    assert answer.status_code == 200, answer.text
    return app_client
