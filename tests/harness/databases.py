"""Creates empty databases for tests, on the server in TEST_DATABASE_URL or on an own server; never on a real database.

The own server is the embedded PostgreSQL, or the version in TEST_POSTGRES_BIN (the directory of `postgres`). Tests may crash it.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from clay_push_service.local_database import postgres

STRATEGY = "file_copy"
"""Takes 16 ms; `wal_log` takes 27 ms. The two checkpoints of `file_copy` are cheap because fsync is off."""


@dataclass(frozen=True, slots=True)
class TestServer:
    """A server and a role that may create databases and is not a superuser. A test may stop and start `embedded`."""

    __test__ = False

    url: str
    embedded: postgres.Server | None

    def create(self, template: str | None = None) -> str:
        """Create a database: empty, or a copy of the template database of this name, which may have no connections."""
        strategy = STRATEGY if template else None
        return postgres.create_database(self.url, f"test_{uuid4().hex}", template=template, strategy=strategy)

    def drop(self, url: str) -> None:
        postgres.drop_database(self.url, name_of(url))


def name_of(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


@contextmanager
def run_server() -> Iterator[TestServer]:
    """Run one server per pytest process. Each xdist worker has its own, so a test may kill it."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield TestServer(given, None)
        return
    directory = Path(tempfile.mkdtemp(prefix="clay-push-tests-"))
    binaries = os.environ.get("TEST_POSTGRES_BIN")
    directory.chmod(
        0o755
    )  # started by root, PostgreSQL runs as another account; its data directory still has mode 0700
    try:
        with postgres.start(
            directory, durable=False, may_create_databases=True, bin_directory=Path(binaries) if binaries else None
        ) as server:
            yield TestServer(server.url, server)
    finally:
        postgres.remove(directory)
