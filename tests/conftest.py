"""A real PostgreSQL for every test that asks for one, each test in a database of its own."""

import inspect
from collections.abc import AsyncIterator, Iterator

import pytest

from clay_push_service.database.database import Database
from tests.harness.api import Api, run_api
from tests.harness.databases import TestServer, name_of, run_server
from tests.harness.roles import Roles, least_rights
from tests.harness.runtime import make_runtime_role, runtime_role, runtime_url

NOT_UNIT_FIXTURES = frozenset({"postgres", "sandbox", "receiver_of"})
NOT_UNIT_MODULES = frozenset(
    {
        "subprocess",
        "clay_push_service.local_database.postgres",
        "tests.clay.receivers",
        "tests.clay.sender",
        *(f"tests.harness.{name}" for name in ("served", "service", "shell", "supervisor", "warm_shell")),
        *(f"tests.support.{name}" for name in ("receiver", "sandbox")),
    }
)
"""Modules that start processes, databases, servers or real connections. A test module that imports one of them, or from one, is not a unit test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need no PostgreSQL and no process as `unit`, from their fixtures and imports (`make test-unit`)."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_unit(item):
            item.add_marker(pytest.mark.unit)


def _is_unit(item: pytest.Function) -> bool:
    origins = {
        getattr(value, "__name__" if inspect.ismodule(value) else "__module__", None)
        for value in vars(item.module).values()
    }
    return NOT_UNIT_FIXTURES.isdisjoint(item.fixturenames) and NOT_UNIT_MODULES.isdisjoint(origins)


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    with run_server() as server, make_runtime_role(server):
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: TestServer) -> Iterator[str]:
    """The name of a database with our schema and the grants on it, made once and copied for each test: 16 ms, not 140."""
    from clay_push_service import migrations

    url = postgres.create()
    migrations.upgrade(url, runtime_role())
    yield name_of(url)
    postgres.drop(url)


@pytest.fixture
def empty_database_url(postgres: TestServer) -> Iterator[str]:
    """A database without anything of ours in it."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def database_url(postgres: TestServer, migrated_template: str) -> Iterator[str]:
    """A database with our schema at its newest revision, and no rows; as its owner, who prepares and inspects."""
    url = postgres.create(migrated_template)
    yield url
    postgres.drop(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """As the service opens it: by the role of least rights."""
    opened = Database(runtime_url(database_url), pool_size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def roles(postgres: TestServer, database_url: str) -> AsyncIterator[Roles]:
    """Skips where the server lets us make none."""
    async with least_rights(postgres, database_url) as made:
        yield made


@pytest.fixture
async def app_client(database_url: str) -> AsyncIterator[Api]:
    """The HTTP application over its own installation, with production settings."""
    async with run_api(database_url) as client:
        yield client
