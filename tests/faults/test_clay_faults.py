"""Faults of Clay, seen by a complete worker: outages, all forms of throttling, resets, stalls, invalid certificates."""

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest
import trustme

from tests.harness.fault_run import faulty, run_with_faults
from tests.support.receiver import OK, Behaviour, status

RETRY_AFTERS = (
    "Retry-After: 1\r\n", "Retry-After: 0\r\n", "Retry-After: -5\r\n", "Retry-After: 0.5\r\n", "", "Retry-After: soon\r\n",
    "Retry-After: \r\n", f"Retry-After: {format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)}\r\n",
    "Retry-After: Thu, 99 Foo 9999 99:99:99 GMT\r\n", "Retry-After: 1e9\r\n", "retry-after: 1\r\nretry-after: 900\r\n",
)  # fmt: skip


async def test_every_form_of_retry_after_delays_the_next_post_and_no_lead_is_lost(
    database_url: str, tmp_path: Path
) -> None:
    """All responses arrive at once. One after another, each would lower the pace and the test would wait for all of them."""

    def answer(number: int, _body: bytes) -> Behaviour:
        return status(429, headers=RETRY_AFTERS[number]) if number < len(RETRY_AFTERS) else OK

    async with run_with_faults(
        database_url, tmp_path, leads=30, answer=answer, in_flight_per_destination=len(RETRY_AFTERS)
    ) as run:
        accepted = await run.installation.push()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost(f"429 with {len(RETRY_AFTERS)} kinds of Retry-After", accepted.job_id)
        assert (line.uncertain, line.doubled) == (0, 0)
        job = await run.installation.job(accepted.job_id)
        assert job.success_count == 30
        assert {row.attempts for row in await run.installation.deliveries(accepted.job_id)} == {1}


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("after", [lambda: "2.5", lambda: in_seconds(4)], ids=["decimals", "a date"])
async def test_no_lead_is_sent_before_the_time_in_retry_after(
    database_url: str, tmp_path: Path, after: Callable[[], str]
) -> None:
    """Only one of two workers gets the 429. Leads that already have a slot (reserved 500 ms ahead) may still be sent."""
    moments: list[float] = []

    def answer(number: int, _body: bytes) -> Behaviour:
        if number != 15:
            return OK
        report = after()
        seconds = float(report) if report[0].isdigit() else parsedate_to_datetime(report).timestamp() - time.time()
        moments.extend((time.monotonic(), time.monotonic() + seconds))
        return status(429, headers=f"Retry-After: {report}\r\n")

    async with run_with_faults(
        database_url, tmp_path, leads=35, answer=answer, workers=2, rate_limit_ms=50, delay_seconds=0.0
    ) as run:
        accepted = await run.installation.push()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("429 with a moment to come", accepted.job_id)
        throttled_at, moment = moments
        assert moment - throttled_at > 2
        too_early = [
            post.at - throttled_at for post in run.receiver.posts if throttled_at + 0.7 < post.at < moment - 0.02
        ]
        assert too_early == []
        assert sum(post.at > moment - 0.02 for post in run.receiver.posts) > 10, "sending must continue after that time"
        assert line.uncertain == 0
        assert {row.attempts for row in await run.installation.deliveries(accepted.job_id)} == {1}


PAUSED = """
SELECT 1 FROM clay.workspaces WHERE next_slot_at > now() + interval '10 minutes'
AND NOT EXISTS (SELECT 1 FROM clay.clay_push_log WHERE state = 'sending')
"""


@pytest.mark.parametrize("after", ["901", "Fri, 01 Jan 2100 00:00:00 GMT"])
async def test_no_pause_is_longer_than_15_minutes(database_url: str, tmp_path: Path, after: str) -> None:
    def answer(number: int, _body: bytes) -> Behaviour:
        return OK if number else status(429, headers=f"Retry-After: {after}\r\n")

    async with run_with_faults(database_url, tmp_path, leads=30, answer=answer, rate_limit_ms=100) as run:
        await run.installation.push()
        await run.receiver.until(1, 30.0)
        while not await run.installation.fetch(PAUSED):  # noqa: ASYNC110 - a row in the database
            await asyncio.sleep(0.1)
        sent = len(run.receiver.posts)
        await asyncio.sleep(1.0)
        assert len(run.receiver.posts) == sent
        [row] = await run.installation.fetch(
            "SELECT extract(epoch FROM next_slot_at - now()) AS pause FROM clay.workspaces"
        )
        assert 600 < row.pause < 900  # tolerance for a slow machine
        assert set(await run.statuses()) <= {"waiting", "claimed"}, "a 429 must not count as a failure"


async def test_no_lead_is_lost_when_a_fifth_of_all_posts_fail(database_url: str, tmp_path: Path) -> None:
    async with run_with_faults(
        database_url, tmp_path, leads=300, workers=2, answer=faulty(0.2), delay_seconds=0.0
    ) as run:
        accepted = await run.installation.push()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("20 % resets, stalls, 5xx", accepted.job_id, "unknown", "server_error")
        assert line.uncertain > 0


def certificate(authority: trustme.CA, kind: str) -> trustme.LeafCert:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    match kind:
        case "another name":
            return authority.issue_cert("clay.example")
        case "expired":
            return authority.issue_cert("localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday)
        case "unknown authority":
            return trustme.CA().issue_cert("localhost")
        case _:
            return authority.issue_cert("localhost")


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["good", "another name", "expired", "unknown authority", "self-signed"])
async def test_leads_are_sent_only_to_a_server_with_a_valid_certificate(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    """The worker trusts the test's authority. Without a valid certificate no byte of a lead is sent, and the leads fail as not connected."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    if kind == "self-signed":
        itself = trustme.CA()
        with itself.cert_pem.tempfile() as cert, itself.private_key_pem.tempfile() as key:
            context.load_cert_chain(cert, key)
    else:
        certificate(authority, kind).configure_cert(context)
    received: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(100))
        writer.write(OK)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        run_with_faults(
            database_url, tmp_path, leads=2, workers=0, allowed_webhook_hosts=(f"localhost:{port}", "127.0.0.1"),
            ca_file=str(tmp_path / "ca.pem"), connect_timeout_seconds=10,
        ) as run,
    ):  # fmt: skip
        await run.installation.configure(f"https://localhost:{port}/v3/sources/webhook/x")
        accepted = await run.installation.push()
        await run.workers.keep_running(1)
        await run.wait_until_finished(accepted.job_id, 30.0)
        if kind == "good":
            assert await run.statuses() == {"done": 2}
            assert len(received) == 2
        else:
            assert await run.statuses() == {"certificate_error": 2}
            assert received == []


@pytest.mark.faults
@pytest.mark.timeout(400)
async def test_a_push_completes_after_two_minutes_of_5xx_responses(database_url: str, tmp_path: Path) -> None:
    over = time.monotonic() + 120.0
    chance = random.Random(5)

    def answer(_number: int, _body: bytes) -> Behaviour:
        return status(chance.choice((500, 502, 503, 504))) if time.monotonic() < over else OK

    async with run_with_faults(
        database_url,
        tmp_path,
        leads=300,
        answer=answer,
        workers=2,
        outage_probe_seconds=2.0,
        retry_delays_seconds=(1.0, 2.0, 4.0),
    ) as run:
        accepted = await run.installation.push()
        await asyncio.sleep(120)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        await run.assert_nothing_lost("Clay answers 5xx for 2 minutes", accepted.job_id)
        assert (await run.installation.job(accepted.job_id)).success_count == 300
        assert len(run.receiver.posts) < 300 + 200, "during an outage only probes may be sent"
