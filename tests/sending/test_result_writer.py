"""The result writer loses no result, and a result that cannot be written never blocks the others."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Verdict
from clay_push_service.database.database import Database
from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.results import RecordedResults, Result, record
from clay_push_service.sending import result_writer
from clay_push_service.sending.result_writer import ResultWriter
from tests.harness.installation import Installation, install

LEASE = timedelta(seconds=30)
TAKEN = Outcome(Verdict.SUCCESS, status=200, resets_streaks=True, submissions=1)


async def sent(w: Installation, number: int) -> list[Result]:
    """Results of `number` POSTs, ready to be written."""
    version_id = await w.configure("https://api.clay.com/v3/sources/webhook/x")
    accepted = await w.push()
    token = uuid4()
    async with w.database.transaction() as connection:
        claims = await claim(connection, accepted.job_id, token, number, LEASE)
        await mark_sending(connection, token, [each.delivery_id for each in claims], LEASE)
    return [Result(each.delivery_id, accepted.job_id, version_id, token, TAKEN) for each in claims]


async def successes(w: Installation, job_id: UUID) -> int:
    count: int = (await w.job(job_id)).success_count
    return count


async def test_one_result_that_cannot_be_written_does_not_block_the_others(database_url: str) -> None:
    async with install(database_url, leads=9) as w:
        results = await sent(w, 9)
        bad = Outcome(Verdict.FAILED, Cause.REJECTED, 400)
        results[4] = Result(
            results[4].delivery_id, results[4].job_id, results[4].version_id, results[4].claim_token, bad, detail="\0"
        )
        writer = ResultWriter(w.database, 30.0)
        for result in results:
            writer.add(result)
        async with asyncio.timeout(60):
            await writer.flush()
        assert await successes(w, results[0].job_id) == 8
        states = [row.state for row in await w.deliveries(results[0].job_id)]
        assert states.count("sending") == 1, (
            "it becomes unknown when its lease expires, because Clay may have stored it"
        )


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        ConnectionRefusedError(111, "refused"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_results_are_written_after_the_database_was_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """SQLAlchemy does not wrap the errors that PostgreSQL returns while it starts."""
    monkeypatch.setattr(result_writer, "RETRY_SECONDS", (0.0,))
    failures = [error, error]

    async def failing(connection: Any, results: Sequence[Result], probe_seconds: float) -> RecordedResults:
        if failures:
            raise failures.pop()
        return await record(connection, results, probe_seconds)

    async with install(database_url, leads=3) as w:
        results = await sent(w, 3)
        monkeypatch.setattr(result_writer, "record", failing)
        writer = ResultWriter(w.database, 30.0)
        for result in results:
            writer.add(result)
        await writer.flush()
        assert await successes(w, results[0].job_id) == 3


async def test_a_flush_that_is_cancelled_leaves_its_results_to_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with install(database_url, leads=3) as w:
        results = await sent(w, 3)
        writer = ResultWriter(w.database, 30.0)
        for result in results:
            writer.add(result)
        begun = asyncio.Event()

        async def hanging(*_: object) -> list[Result]:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

        with monkeypatch.context() as patched:
            patched.setattr(result_writer, "record", hanging)
            flushing = asyncio.create_task(writer.flush())
            await begun.wait()
            flushing.cancel()
            await asyncio.wait([flushing])
        await writer.flush()
        assert await successes(w, results[0].job_id) == 3


async def test_results_of_a_commit_whose_response_was_lost_count_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_writer, "RETRY_SECONDS", (0.0,))
    async with install(database_url, leads=3) as w:
        results = await sent(w, 3)
        losing = LosesFirstResponse(w.settings.database_url, pool_size=1)
        writer = ResultWriter(losing, 30.0)
        for result in results:
            writer.add(result)
        await writer.flush()
        assert await successes(w, results[0].job_id) == 3
        [meter] = await w.fetch("SELECT used FROM clay.quota_meters")
        assert (meter.used, losing.connections) == (3, 2)
        await losing.close()


class LosesFirstResponse(Database):
    """Commits the first transaction, then reports a lost connection."""

    connections = 0

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[asyncpg.Connection]:
        async with super().driver() as connection:
            yield connection
        self.connections += 1
        if self.connections == 1:
            raise ConnectionResetError


async def test_a_result_of_an_earlier_attempt_matches_nothing(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        results = await sent(w, 3)
        others = [dataclasses.replace(result, attempts=1) for result in results]
        async with w.database.transaction() as connection:
            assert (await record(connection, others, 30.0)).written == []
        assert {row.state for row in await w.deliveries(results[0].job_id)} == {"sending"}
