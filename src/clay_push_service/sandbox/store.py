"""Stores the sandbox's rows, arrivals and sources in one SQLite file.

Handlers await the commit of their row before they respond, and writes that arrive during a commit go into the next one:
an acknowledged row is kept after a crash of the process (WAL, synchronous NORMAL), and a busy sandbox commits in batches.
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS workspaces (id TEXT PRIMARY KEY, rate REAL, burst INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sources (
    id TEXT PRIMARY KEY, workspace TEXT NOT NULL, token TEXT, cap INTEGER,
    submissions INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, arrived_at REAL NOT NULL,
    delivery_id TEXT, lead_id TEXT, duplicate INTEGER NOT NULL, repeated_lead INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS rows_by_source ON rows (source);
CREATE INDEX IF NOT EXISTS rows_by_delivery ON rows (source, delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_lead ON rows (source, lead_id) WHERE lead_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS arrivals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, monotonic_ns INTEGER NOT NULL, wall REAL NOT NULL,
    status INTEGER, outcome TEXT NOT NULL, fault TEXT);
CREATE INDEX IF NOT EXISTS arrivals_by_source ON arrivals (source);
"""

INSERT_ROW = """
INSERT INTO rows (source, arrived_at, delivery_id, lead_id, duplicate, repeated_lead, body)
VALUES (:source, :arrived_at, :delivery_id, :lead_id,
        EXISTS (SELECT 1 FROM rows WHERE source = :source AND delivery_id = :delivery_id),
        EXISTS (SELECT 1 FROM rows WHERE source = :source AND lead_id = :lead_id), :body)
RETURNING duplicate, repeated_lead
"""

INSERT_ARRIVAL = """
INSERT INTO arrivals (source, monotonic_ns, wall, status, outcome, fault) VALUES (?, ?, ?, ?, ?, ?)
"""

Value = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Row:
    delivery_id: str | None
    lead_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request. `status` None: it got no response. `row` None: nothing was stored."""

    source: str
    monotonic_ns: int
    wall: float
    status: int | None
    outcome: str
    fault: str | None = None
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """Whether the source already had a row with this delivery id, or with this lead id."""

    duplicate: bool
    repeated_lead: bool


@dataclass(frozen=True, slots=True)
class _Pending:
    arrival: Arrival
    done: asyncio.Future[Stored | None]


class DirectoryInUseError(RuntimeError):
    pass


class Store:
    """The store of one directory, for one process. One thread writes, another one reads."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = (directory / "sandbox.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            message = f"another sandbox is running on {directory}"
            raise DirectoryInUseError(message) from None
        self._path = directory / "sandbox.sqlite3"
        self._writer = self._open()
        self._writer.executescript(SCHEMA)
        self._reader = self._open()
        self._write_thread = ThreadPoolExecutor(1, "sandbox-write")
        self._read_thread = ThreadPoolExecutor(1, "sandbox-read")
        self._pending: list[_Pending] = []
        self._wake = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._closing = False

    def _open(self) -> sqlite3.Connection:
        # Autocommit: transactions below are explicit. Each connection is used by one thread, though made by another.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        # keeps commits after kill -9; a power cut may lose the last ones
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def start(self) -> None:
        self._flusher = asyncio.create_task(self._flush_loop())

    async def record(self, arrival: Arrival) -> Stored | None:
        """Returns after the arrival and its row are committed."""
        done: asyncio.Future[Stored | None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Pending(arrival, done))
        self._wake.set()
        return await done

    async def _flush_loop(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            await self._flush()

    async def _flush(self) -> None:
        batch, self._pending = self._pending, []
        if not batch:
            return
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._write_thread, self._write, [one.arrival for one in batch])
        except sqlite3.Error as error:
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(error)
            return
        for one, result in zip(batch, results, strict=True):
            if not one.done.done():  # done: the client disconnected; its row is stored anyway
                one.done.set_result(result)

    def _write(self, arrivals: Sequence[Arrival]) -> list[Stored | None]:
        results: list[Stored | None] = []
        submissions: dict[str, int] = {}
        execute = self._writer.execute
        execute("BEGIN IMMEDIATE")
        try:
            for a in arrivals:
                execute(INSERT_ARRIVAL, (a.source, a.monotonic_ns, a.wall, a.status, a.outcome, a.fault))
                if a.row is None:
                    results.append(None)
                    continue
                values: dict[str, Value] = {
                    "source": a.source,
                    "arrived_at": a.wall,
                    "delivery_id": a.row.delivery_id,
                    "lead_id": a.row.lead_id,
                    "body": a.row.body,
                }
                duplicate, repeated = execute(INSERT_ROW, values).fetchone()
                results.append(Stored(bool(duplicate), bool(repeated)))
                submissions[a.source] = submissions.get(a.source, 0) + 1
            for source, count in submissions.items():
                execute("UPDATE sources SET submissions = submissions + ? WHERE id = ?", (count, source))
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return results

    async def change(self, *statements: tuple[str, Sequence[Value]]) -> None:
        """Run statements in one transaction, after everything recorded before."""
        await self._flush()

        def run() -> None:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                for sql, values in statements:
                    self._writer.execute(sql, values)
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise

        await asyncio.get_running_loop().run_in_executor(self._write_thread, run)

    async def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Read committed data."""

        def run() -> list[tuple[Value, ...]]:
            return self._reader.execute(sql, values).fetchall()

        return await asyncio.get_running_loop().run_in_executor(self._read_thread, run)

    async def close(self) -> None:
        if self._flusher is not None:
            self._closing = True  # not cancelled: a batch that has not reached the thread would be lost
            self._wake.set()
            await self._flusher
        await self._flush()
        self._write_thread.shutdown()
        self._read_thread.shutdown()
        self._reader.close()
        self._writer.close()
        self._lock.close()
