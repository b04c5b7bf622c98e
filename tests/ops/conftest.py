"""An API whose status and metrics need no key."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.api import Api, run_api


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Api]:
    async with run_api(database_url, ops_open=True) as client:
        yield client
