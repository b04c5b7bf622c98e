"""Ends a process whose event loop is blocked or which is cut off from its database, from threads that depend on neither.

A worker that is cut off from PostgreSQL can neither claim nor record, and a silent network partition would block it without
end, even after SIGTERM. A supervisor must restart the process.
"""

import faulthandler
import os
import sys
import threading
import time
from typing import NoReturn

import psycopg

from clay_push_service import logs
from clay_push_service.database import drivers

CHECKS_PER_LIMIT = 6
"""How often the database is queried within the limit."""
EXIT_CODE = 70
"""EX_SOFTWARE: never 0, so that a supervisor restarts it."""

LAST_SHARE = 1.5
"""A multiple of the limit, after which `faulthandler` ends the process with exit code 1. Code that holds Python's global lock (a C extension, a
regular expression without end) blocks the threads of this module, but not that one."""

log = logs.get(__name__)


def end_within(seconds: float) -> None:
    """End this process after `seconds`, unless it has ended."""

    def end() -> None:
        log.critical("watchdog.ends_process", cut_off="shutdown", seconds=round(seconds))
        logs.flush()
        os._exit(EXIT_CODE)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


class Watchdog:
    """The event loop calls `reset` about once a second; a thread queries the database."""

    def __init__(self, database_url: str, limit_seconds: float) -> None:
        self._client = drivers.Client(database_url, "clay-push-watchdog")
        self._limit = limit_seconds
        self._loop_seen = time.monotonic()
        self._database_seen = time.monotonic()
        self._deadline = float("inf")
        self._watcher = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._database_checker = threading.Thread(target=self._check_database, name="watchdog-database", daemon=True)

    def start(self) -> None:
        self._watcher.start()
        self._database_checker.start()

    def end_within(self, seconds: float) -> None:
        """The process is stopping: end it after `seconds`, even if something blocks it (a partition, a name server, a driver's thread)."""
        self._deadline = time.monotonic() + seconds

    def reset(self) -> None:
        self._loop_seen = time.monotonic()
        faulthandler.dump_traceback_later(self._limit * LAST_SHARE, exit=True)

    def _watch(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(min(self._limit / 10, 0.5))
            now = time.monotonic()
            if now > self._deadline:
                self._end("shutdown", now - self._deadline)
            if now - before > self._limit / 2:  # the whole process was frozen (SIGSTOP, a suspended machine)
                self._loop_seen = self._database_seen = now
            before = now
            for what, seen in (("event_loop", self._loop_seen), ("database", self._database_seen)):
                if now - seen > self._limit:
                    self._end(what, now - seen)

    def _end(self, what: str, seconds: float) -> NoReturn:
        log.critical("watchdog.ends_process", cut_off=what, seconds=round(seconds))
        faulthandler.dump_traceback(file=sys.stderr)
        logs.flush()
        os._exit(EXIT_CODE)

    def _check_database(self) -> None:
        """Uses a connection of its own: a pool's connections may work while new ones fail, and vice versa."""
        while True:
            try:
                with drivers.connect_psycopg(self._client, autocommit=True) as connection:
                    while True:
                        connection.execute("SELECT 1")
                        self._database_seen = time.monotonic()
                        time.sleep(self._limit / CHECKS_PER_LIMIT)
            except psycopg.Error:
                time.sleep(min(self._limit / CHECKS_PER_LIMIT, 1.0))
