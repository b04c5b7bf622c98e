"""Marks tests with their rung, and provides database fixtures: each test has its own database on a real PostgreSQL."""

import inspect
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from functools import cache
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, settings

from clay_push_service.database.database import Database
from tests.harness.api import Api, run_api
from tests.harness.databases import TestServer, name_of, run_server
from tests.harness.roles import Roles, least_rights
from tests.harness.runtime import make_runtime_role, runtime_role, runtime_url

# Property tests have no deadline, so that a busy machine does not fail them. Without the phase `explain`, which traces every line
# of a failing example: it took longer than a test may, and the report named the timeout instead of the example.
# `tests` tries the same examples in every run: a run must not fail because of a defect that its change did not make.
# `make test-faults` uses `random`, which searches for such defects.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink]
settings.register_profile(
    "random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, phases=PHASES
)
settings.register_profile("tests", settings.get_profile("random"), derandomize=True, database=None)
settings.load_profile("tests")

PROCESS_MODULES = frozenset(
    {
        "subprocess",
        *(f"tests.harness.{name}" for name in ("fault_run", "served", "service", "shell", "supervisor", "warm_shell")),
        "tests.support.sandbox",
    }
)
"""Modules that start processes of the service. A test module that imports from one of them is an acceptance test."""
SERVER_MODULES = frozenset(
    {"clay_push_service.local_database.postgres", "tests.clay.receivers", "tests.clay.sender", "tests.support.receiver"}
)
"""Modules that start databases, servers or real connections in this process."""
SERVER_FIXTURES = frozenset({"postgres", "receiver_of"})


class Rung(StrEnum):
    UNIT = "unit"
    INTEGRATION = "integration"
    ACCEPTANCE = "acceptance"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its rung, from its fixtures and imports (`make test-unit`, `test-integration`, `test-acceptance`)."""
    for item in items:
        if isinstance(item, pytest.Function):
            item.add_marker(_rung_of(item).value)


def _rung_of(item: pytest.Function) -> Rung:
    imported = _imported_by(item.module)
    if not PROCESS_MODULES.isdisjoint(imported) or "sandbox" in item.fixturenames:
        return Rung.ACCEPTANCE
    if not SERVER_MODULES.isdisjoint(imported) or not SERVER_FIXTURES.isdisjoint(item.fixturenames):
        return Rung.INTEGRATION
    return Rung.UNIT


@cache
def _imported_by(module: ModuleType) -> frozenset[str]:
    """Returns the modules that a module imports or imports names from."""
    names = (
        getattr(value, "__name__" if inspect.ismodule(value) else "__module__", None) for value in vars(module).values()
    )
    return frozenset(name for name in names if isinstance(name, str))


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    with run_server() as server, make_runtime_role(server):
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: TestServer) -> Iterator[str]:
    """The name of a migrated database with its grants. Copying it for each test takes 16 ms; migrating takes 140 ms."""
    from clay_push_service import migrations

    url = postgres.create()
    migrations.upgrade(url, runtime_role())
    yield name_of(url)
    postgres.drop(url)


@pytest.fixture
def empty_database_url(postgres: TestServer) -> Iterator[str]:
    """The URL of an empty database."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def database_url(postgres: TestServer, migrated_template: str) -> Iterator[str]:
    """The owner's URL of a migrated database without rows. Tests use it to prepare and to inspect."""
    url = postgres.create(migrated_template)
    yield url
    postgres.drop(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The database as the service opens it, as the role of least rights."""
    opened = Database(runtime_url(database_url), pool_size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def roles(postgres: TestServer, database_url: str) -> AsyncIterator[Roles]:
    """Database roles. Skips the test if the server does not allow it to create roles."""
    async with least_rights(postgres, database_url) as made:
        yield made


@pytest.fixture
async def app_client(database_url: str) -> AsyncIterator[Api]:
    """The HTTP application with production settings, on its own installation."""
    async with run_api(database_url) as client:
        yield client
