"""A directory for a local server."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clay_push_service.local_database import postgres


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that other accounts can read, like a repository. pytest's own directories are private."""
    made = Path(tempfile.mkdtemp(prefix="clay-push-embedded-"))
    made.chmod(0o755)
    yield made
    postgres.remove(made)
