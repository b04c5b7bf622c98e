"""Starts and stops an embedded PostgreSQL for the demo and the tests, on 127.0.0.1 with passwords. Not for production."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from clay_push_service.local_database.home import Home, PostgresError, binaries, prepare_home, remove
from clay_push_service.local_database.initialize import initialize_cluster
from clay_push_service.local_database.leftovers import end_leftover

__all__ = ["PostgresError", "Server", "create_database", "drop_database", "remove", "start"]

ROLE = "clay_push"
"""Owns the database of the same name. It is not a superuser, as in a customer's database."""
PORTS = range(15000, 32000)
"""Below the ephemeral ports of outgoing connections, so that no other process takes the server's port between a stop and a start."""
START_SECONDS = 60.0
"""Includes crash recovery."""
DYING_SECONDS = 1.0
STOP_SECONDS = 15.0
"""For each step: the requested shutdown, then immediate shutdown, then SIGKILL."""
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
TUNING = ("max_connections=300", "shared_buffers=128MB", "timezone=UTC", "log_timezone=UTC", "max_wal_size=2GB")
NOT_DURABLE = ("fsync=off", "full_page_writes=off")
"""For tests. `synchronous_commit` stays on: a committed row must not be lost when a test kills the postmaster."""


class PortTakenError(PostgresError):
    """Another process took the port between our check and PostgreSQL's bind."""


class Server:
    """A running cluster. `url` is for the ordinary role, `admin_url` for the superuser; both stay valid after a restart."""

    def __init__(self, home: Home, port: int, *, durable: bool = True) -> None:
        superuser, role = home.passwords.read_text().split()
        self._home, self._durable = home, durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port
        self.data_directory = home.data
        self.log_path = home.log
        self.admin_url = f"postgresql://postgres:{superuser}@127.0.0.1:{port}/postgres"
        self.url = f"postgresql://{ROLE}:{role}@127.0.0.1:{port}/{ROLE}"

    @property
    def pid(self) -> int:
        """Process id of the postmaster, for tests that kill it."""
        if self._process is None:
            raise PostgresError("This PostgreSQL was never started.")
        return self._process.pid

    def start_again(self) -> None:
        """Start on the same port, after `stop` or a kill. Returns when it accepts connections."""
        if self._process is not None:
            try:
                # A killed process takes a moment to exit, and counts as a running postmaster until we reap it.
                self._process.wait(DYING_SECONDS)
            except subprocess.TimeoutExpired:
                return  # it is running
        end_leftover(self._home.data, STOP_SECONDS)
        begun = self._home.log.stat().st_size if self._home.log.exists() else 0
        log = self._home.open_private(self._home.log, os.O_WRONLY | os.O_APPEND)
        settings = (f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *TUNING)
        command = [str(binaries(self._home) / "postgres"), "-D", str(self._home.data)]
        for setting in settings if self._durable else (*settings, *NOT_DURABLE):
            command += ["-c", setting]
        try:
            self._process = self._home.popen(command, log)
        finally:
            os.close(log)
        self._await_ready(self._process, begun)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and wait; escalate after 15 s. `immediate` is a crash: the next start runs recovery."""
        if self._process is None:
            return
        for number in dict.fromkeys((SIGNALS[mode], signal.SIGQUIT, signal.SIGKILL)):
            if self._process.poll() is not None:
                return
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def _await_ready(self, process: subprocess.Popen[bytes], begun: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            try:
                psycopg.connect(self.admin_url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    self.stop("immediate")
                    raise PostgresError(
                        f"PostgreSQL was not ready in {START_SECONDS:.0f} s; see {self._home.log}"
                    ) from None
                time.sleep(0.03)
            else:
                return
        output = self._home.log.read_bytes()[begun:].decode(errors="replace")
        if not _can_bind(self.port):
            raise PortTakenError(
                f"Port {self.port} of 127.0.0.1 is taken. Choose another port, or omit it to get a free one."
            )
        raise PostgresError(f"PostgreSQL did not start (the whole log: {self._home.log}):\n{output[-1500:]}")


@contextmanager
def start(
    directory: Path,
    port: int | None = None,
    *,
    durable: bool = True,
    may_create_databases: bool = False,
    bin_directory: Path | None = None,
) -> Iterator[Server]:
    """Run the cluster of this directory (created at the first start) until the block ends, also by Ctrl-C or SIGTERM.

    `bin_directory`: another PostgreSQL (15 or newer) than the wheel's, for tests. A directory has one process at a time;
    a start stops servers that a killed process left running. Raises PostgresError.
    """
    home = replace(prepare_home(directory), bin_directory=bin_directory)
    with _locked(home), _exit_on_sigterm():
        end_leftover(home.data, STOP_SECONDS)
        initialize_cluster(home)
        server = Server(home, port or _free_port(), durable=durable)
        try:
            server = _start(home, server, retry=port is None)
            _make_role(server, may_create_databases)
            yield server
        finally:
            server.stop()


def create_database(url: str, name: str, *, template: str | None = None, strategy: str | None = None) -> str:
    """Create a database, owned by the role of `url`, which needs CREATEDB. Returns its URL."""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    if strategy:
        statement += sql.SQL(" STRATEGY {}").format(sql.Identifier(strategy))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def drop_database(url: str, name: str) -> None:
    """Drop the database if it exists, and close its connections."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(50):
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:  # an ordinary role may not terminate autovacuum
                time.sleep(0.1)
            else:
                return
        connection.execute(statement)


def _start(home: Home, server: Server, *, retry: bool) -> Server:
    for _ in range(5 if retry else 0):
        try:
            server.start_again()
        except PortTakenError:
            server = Server(home, _free_port(), durable=server._durable)  # noqa: SLF001  # this module's own class
        else:
            return server
    server.start_again()
    return server


def _make_role(server: Server, may_create_databases: bool) -> None:
    password = urlsplit(server.url).password
    role = sql.Identifier(ROLE)
    createdb = sql.SQL("CREATEDB" if may_create_databases else "NOCREATEDB")
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
        connection.execute(sql.SQL("ALTER ROLE {} {}").format(role, createdb))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [ROLE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    for port in random.sample(PORTS, 100):
        if _can_bind(port):
            return port
    raise PostgresError("No free port was found on 127.0.0.1.")


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    """Hold the directory's lock. The operating system releases it when this process ends for any reason."""
    descriptor = home.open_private(home.lock, os.O_RDWR)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode() or "?"
            raise PostgresError(
                f"The database in {home.directory} is in use by process {holder}. Stop that process first (Ctrl-C), or use its database."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that `finally` blocks run. A handler that is already set stays."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _raise_exit)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise_exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
