"""Every configurable fault as a client sees it. The same seed gives the same faults."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from clay_push_service.sandbox.faults import FaultDice, FaultKind, FaultPlan, FaultRule
from tests.sandbox.webhook import Webhook, payload
from tests.support.sandbox import Json, SandboxProcess


async def rows(webhook: Webhook) -> int:
    return (await webhook.sandbox.counts(webhook.source))["rows"]


async def until_rows(webhook: Webhook, number: int) -> None:
    """Wait until this many rows are stored: the sandbox may read a request after its client's timeout."""
    async with asyncio.timeout(60):
        while await rows(webhook) != number:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
async def test_a_configured_status_stores_no_row_and_ends_after_its_count(webhook: Webhook, status: int) -> None:
    await webhook.faults({"kind": "status", "status": status, "retry_after": "7", "next": 2})
    answers = [await webhook.post() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert "retry-after" not in answers[2].headers
    counts = await webhook.sandbox.counts(webhook.source)
    assert (counts["rows"], counts["submissions"], counts["faults"]) == (1, 1, {"status": 2})


async def test_a_5xx_response_may_follow_a_stored_row(webhook: Webhook) -> None:
    await webhook.faults({"kind": "status", "status": 500, "store": True})
    assert (await webhook.post()).status_code == 500
    assert await rows(webhook) == 1


async def test_a_slow_response_keeps_its_row_when_the_client_disconnects(webhook: Webhook) -> None:
    await webhook.faults({"kind": "slow", "ms": 300})
    started = time.monotonic()
    assert (await webhook.post()).status_code == 200
    assert time.monotonic() - started >= 0.29
    await webhook.faults({"kind": "slow", "ms": 10_000})
    with pytest.raises(httpx.ReadTimeout):
        await webhook.client.post(webhook.url, json=payload("d-2"), timeout=1)
    await until_rows(webhook, 2)


@pytest.mark.parametrize(("kind", "kept"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_is_a_tcp_reset_before_or_after_the_row_is_stored(webhook: Webhook, kind: str, kept: int) -> None:
    await webhook.faults({"kind": kind, "next": 1})
    reader, writer = await asyncio.open_connection("127.0.0.1", webhook.sandbox.port)
    writer.write(
        f"POST /v3/sources/webhook/{webhook.source} HTTP/1.1\r\nhost: x\r\n"
        "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}".encode()
    )
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 60)
    writer.close()
    assert await rows(webhook) == kept
    assert (await webhook.post()).status_code == 200
    (cut, whole) = await webhook.sandbox.arrivals(webhook.source)
    assert (cut["status"], cut["fault"], whole["status"]) == (None, kind, 200)


@pytest.mark.parametrize("kept", [False, True])
async def test_a_stalled_request_gets_no_response(webhook: Webhook, *, kept: bool) -> None:
    await webhook.faults({"kind": "stall", "store": kept, "next": 1})
    with pytest.raises(httpx.ReadTimeout):
        await webhook.client.post(webhook.url, json=payload(), timeout=1)
    await until_rows(webhook, int(kept))
    assert (await webhook.post()).status_code == 200
    assert await rows(webhook) == int(kept) + 1


async def test_an_idle_connection_is_closed_early_and_a_busy_one_is_not(webhook: Webhook) -> None:
    await webhook.faults(idle_close_ms=4000)
    request = (
        f"POST /v3/sources/webhook/{webhook.source} HTTP/1.1\r\nhost: x\r\n"
        "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", webhook.sandbox.port)
    for _ in range(4):  # 5 s in total, but never idle for 4 s
        writer.write(request)
        assert b"200 OK" in await reader.readuntil(b'{"status":"success"}')
        await asyncio.sleep(1.25)
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    await writer.wait_closed()
    assert await rows(webhook) == 4


async def test_random_faults_are_the_same_with_the_same_seed(webhook: Webhook) -> None:
    rule: dict[str, Json] = {"kind": "status", "status": 503, "probability": 0.3}

    async def forty(seed: int) -> list[int]:
        await webhook.faults(rule, seed=seed)
        return [(await webhook.post()).status_code for _ in range(40)]

    first, again, other = await forty(1), await forty(1), await forty(2)
    assert first == again
    assert first != other
    assert 3 <= first.count(503) <= 24


def test_the_probabilities_of_rules_are_independent() -> None:
    chance = FaultRule(kind=FaultKind.STATUS, probability=0.5)
    alone = FaultDice(FaultPlan(rules=[chance]), "s")
    joined = FaultDice(FaultPlan(rules=[chance, FaultRule(kind=FaultKind.STALL, probability=0.5)]), "s")
    draws = [(alone.draw(accepting=False), joined.draw(accepting=False)) for _ in range(50)]
    assert all(b is not None and b.kind is FaultKind.STATUS for a, b in draws if a is not None)
    assert any(b is not None and b.kind is FaultKind.STALL for a, b in draws if a is None)


async def test_a_refused_request_uses_no_fault_that_keeps_the_row(webhook: Webhook) -> None:
    await webhook.faults({"kind": "reset_after", "next": 1})
    bad = await webhook.client.post(webhook.url, content=b"{", headers={"content-type": "application/json"})
    assert bad.status_code == 400
    with pytest.raises(httpx.TransportError):
        await webhook.post()


async def test_faults_can_be_given_at_the_start(tmp_path: Path) -> None:
    arguments = ("--fault", "status:status=502,next=1,retry_after=3", "--rate", "none", "--source", "s", "--token", "t")
    async with SandboxProcess(tmp_path, *arguments) as sandbox, httpx.AsyncClient(trust_env=False) as client:
        answers = [
            await client.post(sandbox.webhook_url("s"), json={}, headers={"x-clay-webhook-auth": "t"})
            for _ in range(30)
        ]
    assert [answer.status_code for answer in answers] == [502] + [200] * 29
    assert answers[0].headers["retry-after"] == "3"


async def test_an_unknown_fault_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="--fault"):
        await SandboxProcess(tmp_path, "--fault", "explode").start()
