"""An API with leads, a webhook and a finished push for the tests of the console."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.api import Api, run_api_with_leads
from tests.harness.visitor import Visitor, visiting


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=5) as made:
        yield made


@pytest.fixture
async def owner(api: Api) -> AsyncIterator[Visitor]:
    async with visiting(api) as visitor:
        yield visitor
