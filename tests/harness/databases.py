"""Fresh databases for tests, on the server in TEST_DATABASE_URL or one of their own; never on a real database.

Its own is the embedded one, or another version by TEST_POSTGRES_BIN (the directory of its `postgres`): tests may crash it.
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
"""16 ms against 27 for `wal_log`: without fsync its two checkpoints cost next to nothing."""


@dataclass(frozen=True, slots=True)
class TestServer:
    """A server, by a role that may create databases and is no superuser. `embedded` can be stopped and started."""

    __test__ = False

    url: str
    embedded: postgres.Server | None

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of the template (by name; no session may be connected to it)."""
        strategy = STRATEGY if template else None
        return postgres.create_database(self.url, f"test_{uuid4().hex}", template=template, strategy=strategy)

    def drop(self, url: str) -> None:
        postgres.drop_database(self.url, name_of(url))


def name_of(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


@contextmanager
def run_server() -> Iterator[TestServer]:
    """One server for one pytest process: with xdist each worker has its own, so a test may kill it."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield TestServer(given, None)
        return
    directory = Path(tempfile.mkdtemp(prefix="clay-push-tests-"))
    binaries = os.environ.get("TEST_POSTGRES_BIN")
    directory.chmod(0o755)  # as root, PostgreSQL runs as another account; its data directory is private all the same
    try:
        with postgres.start(
            directory, durable=False, may_create_databases=True, bin_directory=Path(binaries) if binaries else None
        ) as server:
            yield TestServer(server.url, server)
    finally:
        postgres.remove(directory)
