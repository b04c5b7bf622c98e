"""A hot standby of the tests' server: a base backup that stays in recovery and is read-only."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from clay_push_service.local_database import postgres
from clay_push_service.local_database.home import Home, binaries, prepare_home
from tests.harness.databases import TestServer
from tests.support.programs import free_port


@contextmanager
def standby(primary: TestServer) -> Iterator[postgres.Server]:
    """Run a standby with the primary's current data. It does not replicate later changes."""
    server = primary.embedded
    assert server is not None
    directory = Path(tempfile.mkdtemp(prefix="clay-push-standby-"))
    directory.chmod(0o755)
    given = os.environ.get("TEST_POSTGRES_BIN")
    try:
        home = replace(prepare_home(directory), bin_directory=Path(given) if given else None)
        passwords = Home(server.data_directory.parent, None).passwords
        shutil.copyfile(passwords, home.passwords)
        home.data.mkdir(mode=0o700)
        if home.account:
            for path in (home.data, home.passwords):
                os.chown(path, home.account.uid, home.account.gid)
        _back_up(home, server.admin_url)
        (home.data / "standby.signal").touch()
        made = postgres.Server(home, free_port(), durable=False)
        try:
            made.start_again()
            yield made
        finally:
            made.stop("immediate")
    finally:
        postgres.remove(directory)


def _back_up(home: Home, admin_url: str) -> None:
    log = home.open_private(home.log, os.O_WRONLY | os.O_APPEND)
    backup = [
        *(str(binaries(home) / "pg_basebackup"), "-d", admin_url, "-D", str(home.data)),
        *("--checkpoint=fast", "--wal-method=fetch", "--no-sync", "--no-manifest"),
    ]
    try:
        assert home.popen(backup, log).wait(120) == 0, home.log.read_text(errors="replace")
    finally:
        os.close(log)
