"""The sandbox keeps its rows after a kill and a restart, and shuts down properly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from clay_push_service.sandbox import Ready, serve
from tests.sandbox.webhook import payload
from tests.support.sandbox import SandboxProcess


@pytest.fixture
async def unlimited(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(tmp_path, "--rate", "none") as sandbox:
        yield sandbox


async def test_every_acknowledged_row_exists_after_a_kill(unlimited: SandboxProcess) -> None:
    answered: list[str] = []

    async def send(client: httpx.AsyncClient, sender: int) -> None:
        with suppress(httpx.TransportError):
            for n in range(100_000):
                delivery = f"{sender}-{n}"
                if (await client.post(unlimited.webhook_url(), json=payload(delivery, delivery))).is_success:
                    answered.append(delivery)

    async with httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as senders:
        for sender in range(4):
            senders.create_task(send(client, sender))
        await unlimited.until_rows(200)
        await unlimited.kill()
    await unlimited.start()
    kept = [row["delivery_id"] for row in await unlimited.rows()]
    assert set(answered) <= set(kept)
    assert len(kept) <= len(answered) + 4
    counts = await unlimited.counts()
    assert counts["rows"] == counts["submissions"] == counts["distinct_delivery_ids"] == len(kept)


async def test_sources_limits_and_counters_exist_after_a_restart(unlimited: SandboxProcess) -> None:
    await unlimited.create_source("kept", token="t", cap=3, rate=5, burst=7)
    async with httpx.AsyncClient(trust_env=False, headers={"x-clay-webhook-auth": "t"}) as client:
        for _ in range(4):
            await client.post(unlimited.webhook_url("kept"), json=payload())
        before = await unlimited.counts("kept")
        await unlimited.restart()
        after = await unlimited.counts("kept")
        assert (await client.post(unlimited.webhook_url("kept"), json=payload())).status_code == 403
    assert {**after, "arrivals": None} == {**before, "arrivals": None}
    assert (after["rows"], after["duplicates"], after["refused"]) == (3, 2, {"cap_reached": 1})
    assert len(await unlimited.arrivals("kept")) == 5
    (kept,) = [s for s in (await unlimited.admin.get("/sandbox/sources")).json()["sources"] if s["id"] == "kept"]
    assert (kept["has_token"], kept["cap"], kept["rate"], kept["burst"]) == (True, 3, 5, 7)


async def test_the_sandbox_stops_while_requests_stall(unlimited: SandboxProcess) -> None:
    await unlimited.faults({"kind": "stall", "store": True})
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        stalled = [asyncio.create_task(client.post(unlimited.webhook_url(), json=payload())) for _ in range(5)]
        await unlimited.until_rows(5)
        seconds = await unlimited.terminate()
        results = await asyncio.gather(*stalled, return_exceptions=True)
    assert seconds < 20  # a client gives up after 30 s
    assert all(isinstance(result, httpx.TransportError) for result in results)
    await unlimited.start()
    assert (await unlimited.counts())["rows"] == 5


async def test_the_sandbox_serves_in_another_process_until_it_is_stopped(tmp_path: Path) -> None:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve("127.0.0.1", 0, tmp_path, on_ready=ready.set_result, stop=stop))
    served: Ready = await ready
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(served.webhook_url(), json=payload())).status_code == 200
        stop.set()
        await asyncio.wait_for(serving, 30)
        with pytest.raises(httpx.ConnectError):
            await client.post(served.webhook_url(), json=payload())


async def test_a_port_in_use_is_reported_in_one_line(unlimited: SandboxProcess, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"^sandbox: .*Address already in use"):
        await SandboxProcess(tmp_path / "other", port=unlimited.port).start()
    assert not (tmp_path / "other" / "sandbox.sqlite3").exists()
