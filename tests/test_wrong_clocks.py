"""A process with a wrong clock uses the clock of the database and reports it. The wrong clock is an argument."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

import clay_push_service
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock, read_clock
from clay_push_service.database.database import Database
from clay_push_service.destination_settings.connection_test.send_row import try_webhook
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.stored_destination import read_destination
from clay_push_service.worker.heartbeat import Heartbeat
from clay_push_service.worker.queue_worker import QueueWorker
from tests.harness.api import Api, run_api
from tests.harness.installation import Installation, install, install_with_drainer
from tests.harness.settings import access_token
from tests.support.receiver import Receiver, status

HOUR = 3600.0
MINUTE = timedelta(minutes=1)


def off_by(seconds: float) -> Callable[[], float]:
    return lambda: time.time() + seconds


async def learned(database: Database, seconds: float) -> DatabaseClock:
    clock = DatabaseClock(off_by(seconds))
    async with database.transaction() as connection:
        await read_clock(connection, clock)
    return clock


def is_now(moment: datetime) -> bool:
    """Returns whether the moment is within a minute of now. The wrong clocks differ by an hour, so load does not matter."""
    return abs(moment - datetime.now(UTC)) < MINUTE


@pytest.mark.parametrize(("seconds", "own"), [(0.0, True), (4.0, True), (-4.0, True), (6.0, False), (-6.0, False)])
def test_the_databases_clock_is_used_from_a_difference_of_five_seconds(seconds: float, own: bool) -> None:
    wall = [2_000_000_000.0 + seconds]
    clock = DatabaseClock(lambda: wall[0])
    read_at = time.monotonic()
    clock.learn(datetime.fromtimestamp(2_000_000_000, UTC), read_at, read_at)
    found = clock.timestamp()
    assert (found == wall[0]) == own
    assert abs(clock.timestamp() - 2_000_000_000) < (5 if own else 60)


def test_before_the_first_reading_the_own_clock_is_used() -> None:
    clock = DatabaseClock(lambda: 123.0)
    assert (clock.timestamp(), clock.wall_offset_seconds) == (123.0, None)


def test_a_clock_change_during_the_process_is_detected_immediately() -> None:
    wall = [2_000_000_000.0]
    clock = DatabaseClock(lambda: wall[0])
    read_at = time.monotonic()
    clock.learn(datetime.fromtimestamp(2_000_000_000, UTC), read_at, read_at)
    wall[0] += HOUR
    assert abs(clock.timestamp() - 2_000_000_000) < 60


def test_a_slow_response_does_not_make_a_clock_wrong() -> None:
    """The database may have read its clock at any moment of the twenty seconds."""
    clock = DatabaseClock(lambda: 2_000_000_009.0)
    read_at = time.monotonic() - 10
    clock.learn(datetime.fromtimestamp(2_000_000_000, UTC), read_at, read_at + 20)
    assert clock.timestamp() == 2_000_000_009.0


def test_a_wrong_clock_is_logged_once_and_so_is_its_end() -> None:
    wall = [2_000_000_000.0 + HOUR]
    clock = DatabaseClock(lambda: wall[0])
    with capture_logs() as lines:
        for number in range(4):
            if number == 2:
                wall[0] -= HOUR
            read_at = time.monotonic()
            clock.learn(datetime.fromtimestamp(2_000_000_000, UTC), read_at, read_at)
    assert [line["event"] for line in lines] == ["clock.wrong", "clock.right"]
    assert lines[0]["offset_seconds"] == pytest.approx(HOUR, abs=60)


def test_no_other_module_reads_the_own_clock() -> None:
    """All other modules take times from the database or from `DatabaseClock`."""
    package = Path(clay_push_service.__file__).parent
    modules = [path.relative_to(package) for path in package.rglob("*.py")]
    service = [path for path in modules if path.parts[0] not in {"demo", "sandbox"}]
    reads = re.compile(r"\b(?:now|utcnow|today)\((?:UTC|timezone\.utc)?\)|\btime\.time\b|\bgmtime\(\)|\blocaltime\(\)")
    found = {
        str(path)
        for path in service
        for line in re.findall(r"^.*(?:datetime|date|time)\..*$", (package / path).read_text(), re.MULTILINE)
        if reads.search(line)
    }
    assert found == {"database/clock.py"}


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
def seconds(request: pytest.FixtureRequest) -> float:
    found: float = request.param
    return found


@pytest.fixture
async def app(database_url: str, seconds: float) -> AsyncIterator[Api]:
    """An API whose clock is an hour ahead or behind."""
    async with run_api(database_url, ops_open=True, clock=DatabaseClock(off_by(seconds))) as client:
        yield client


async def test_the_expiry_of_tokens_is_checked_by_the_clock_of_the_database(app: Api) -> None:
    """For a clock that is an hour ahead, the valid token is expired. For a clock that is an hour behind, the expired token is valid, and `nbf` is in the future."""
    now = int(time.time())
    for claims, code in (
        ({"exp": now + 600}, 200), ({"exp": now - 600}, 401),
        ({"nbf": now - 600}, 200), ({"nbf": now + 600, "exp": now + 2 * int(HOUR)}, 401),
    ):  # fmt: skip
        app.credentials["owner"] = access_token("owner", **claims)
        assert (await app.get("/api/clay/config", "owner")).status_code == code, claims


async def test_status_names_the_web_process_whose_clock_is_wrong(app: Api, seconds: float) -> None:
    report = (await app.get("/status")).json()
    assert report["clock_offset_seconds"] == pytest.approx(seconds, abs=60)
    [advice] = [each for each in report["advice"] if "clock" in each["what"]]
    assert "this web process" in advice["what"]
    assert ("ahead of" if seconds > 0 else "behind") in advice["what"]
    assert "NTP" in advice["do"]
    page = (await app.get("/status", headers={"Accept": "text/html"})).text
    assert "The clock of this web process is" in page
    assert f"{datetime.now(UTC):%Y-%m-%d}" in page


async def test_the_heartbeat_of_a_worker_has_its_clock_offset_and_status_names_the_worker(database_url: str) -> None:
    async with run_api(database_url, ops_open=True) as app:
        clock = DatabaseClock(off_by(HOUR))
        async with app.installation.drainer() as drainer:
            queue_worker = QueueWorker(app.settings, drainer)
            await Heartbeat(uuid4(), app.database, clock, queue_worker).beat()
        report = (await app.get("/status")).json()
        [seen] = report["workers"]
        assert seen["clock_offset_seconds"] == pytest.approx(HOUR, abs=60)
        [advice] = [each for each in report["advice"] if "clock" in each["what"]]
        assert f"The clock of worker {seen['hostname']}:{seen['pid']} is 3,6" in advice["what"]
        assert "ahead of the database's." in advice["what"]
        assert abs(report["clock_offset_seconds"]) < 5
        page = (await app.get("/status", headers={"Accept": "text/html"})).text
        assert "+36" in page
        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "UPDATE clay.workers SET clock_offset_seconds = NULL"
        )  # a worker of the previous release
        await connection.close()
        report = (await app.get("/status")).json()
        assert (report["workers"][0]["clock_offset_seconds"], "clock" in str(report["advice"])) == (None, False)


async def test_a_worker_reads_the_clock_of_the_database_before_its_queue_runs(database_url: str) -> None:
    async with install(database_url, leads=0) as installation, installation.drainer() as drainer:
        drainer.context.clock = DatabaseClock(off_by(HOUR))
        running = asyncio.create_task(QueueWorker(installation.settings, drainer).run())
        while not await installation.fetch("SELECT 1 FROM clay.procrastinate_workers"):  # noqa: ASYNC110 - another connection
            await asyncio.sleep(0.05)
        assert is_now(drainer.context.clock.now())
        running.cancel()
        await asyncio.wait([running])


async def test_a_payload_has_the_time_of_the_database(database_url: str, seconds: float) -> None:
    async with install_with_drainer(database_url, leads=2) as (w, drainer, clay):
        drainer.context.clock = await learned(w.database, seconds)
        await w.push()
        await w.drain_all(drainer)
        assert len(clay.posts) == 2
        for post in clay.posts:
            assert is_now(datetime.fromisoformat(pushed_at(post.body)))


def pushed_at(body: bytes) -> str:
    [found] = re.findall(rb'"pushed_at":"([^"]+)"', body)
    return str(found, "ascii")


async def next_slot_seconds(w: Installation) -> float:
    [row] = await w.fetch("SELECT extract(epoch FROM next_slot_at - now())::float AS seconds FROM clay.workspaces")
    found: float = row.seconds
    return found


async def test_a_retry_after_date_is_read_by_the_databases_clock(database_url: str, seconds: float) -> None:
    """With the wrong clock, the delay would be over (1 s) or limited to the longest pause (900 s)."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=450), usegmt=True)
    clay = Receiver(answer=lambda _number, _body: status(429, headers=f"Retry-After: {date}\r\n"))
    async with install_with_drainer(database_url, clay, leads=1) as (w, drainer, _):
        drainer.context.clock = await learned(w.database, seconds)
        accepted = await w.push()
        await drainer.drain(accepted.job_id)
        await drainer.stop(20.0)
        assert 300 < await next_slot_seconds(w) < 600


async def test_a_test_of_the_webhook_uses_the_clock_of_the_database(database_url: str, seconds: float) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=450), usegmt=True)
    clay = Receiver(answer=lambda _number, _body: status(429, headers=f"Retry-After: {date}\r\n"))
    async with install_with_drainer(database_url, clay, leads=1) as (w, _, _):
        async with w.database.transaction() as connection:
            stored = await read_destination(connection, w.secret_box, w.org_id)
        assert stored is not None
        assert stored.webhook is not None
        client = ClayClient.create(w.settings)
        clock = DatabaseClock(off_by(seconds))  # the connection test reads the clock when it reserves its slot
        finding = await try_webhook(
            w.database, client, Policy.of(w.settings), w.org_id, "user:test", stored.webhook, clock
        )
        await client.close()
        assert is_now(datetime.fromisoformat(pushed_at(clay.posts[0].body)))
        assert finding.remedy is not None
        assert 300 < int(finding.remedy.removeprefix("Test again in ").removesuffix(" s.")) < 600
