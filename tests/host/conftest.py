"""Fixtures: a database with the tables of each NexusLeads vintage, and a connection of the role of least rights."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from tests.harness.nexusleads import NexusLeads, open_nexusleads
from tests.harness.runtime import runtime_url


@pytest.fixture(params=list(Vintage), ids=str)
def vintage(request: pytest.FixtureRequest) -> Vintage:
    return Vintage(request.param)


@pytest.fixture
async def host(database_url: str, vintage: Vintage) -> AsyncIterator[NexusLeads]:
    async with open_nexusleads(database_url, vintage) as made:
        yield made


@pytest.fixture
async def connection(host: NexusLeads) -> AsyncIterator[AsyncConnection]:
    database = Database(runtime_url(host.url), pool_size=1)
    async with database.engine.connect() as opened:
        # READ COMMITTED: each statement sees what the host has committed so far
        await opened.execution_options(isolation_level="AUTOCOMMIT")
        yield opened
    await database.close()
