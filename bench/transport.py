"""Measures POSTs per second by client and concurrency: plain httpx, this service's client with all guards, plain aiohttp."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import httpx
import uvloop

from bench.receiver import receiver
from clay_push_service.clay.response import Responded
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.destinations.guard import HostRule, Policy, check_url
from clay_push_service.settings import Network, Settings

BODY = b'{"bio":"' + b"x" * 2680 + b'"}'
"""2.7 KB, the size of a payload with an average biography."""
IN_FLIGHT = (1, 16, 50)
ROUNDS = 5
SECONDS = 1.0

Post = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    client: str
    in_flight: int
    posts_per_second: float
    """Median of ROUNDS interleaved rounds."""
    cpu_microseconds: float
    """CPU time of this process per POST."""


async def _measure(post: Post, in_flight: int) -> tuple[float, float]:
    end = time.perf_counter() + SECONDS
    done = itertools.count()

    async def one_after_another() -> None:
        while time.perf_counter() < end:
            await post()
            next(done)

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    posts = next(done)
    return posts / (time.perf_counter() - started), (time.process_time() - cpu) / posts * 1e6


def loopback_policy(port: int) -> Policy:
    networks: tuple[Network, ...] = Settings(
        database_url="postgresql://bench", allowed_webhook_networks=("127.0.0.0/8",)
    ).networks
    return Policy((HostRule("localhost", subdomains=False, port=port),), networks, allow_plain_http=True)


async def run() -> list[Row]:
    figures: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with receiver() as port:
        url = f"http://localhost:{port}/v3/sources/webhook/pull-in-data-from-a-webhook-0a1b2c3d-4e5f"
        policy = loopback_policy(port)
        target = Target(check_url(url, policy), token="token")
        ours = ClayClient(policy, request_timeout_seconds=30, connect_timeout_seconds=10)
        headers = {"content-type": "application/json", "x-clay-webhook-auth": "token"}
        async with httpx.AsyncClient() as stock, aiohttp.ClientSession() as bare:

            async def post_stock() -> None:
                response = await stock.post(url, content=BODY, headers=headers)
                assert response.status_code == 200

            async def post_ours() -> None:
                answer = await ours.post(target, BODY)
                assert isinstance(answer, Responded), answer

            async def post_bare() -> None:
                async with bare.post(url, data=BODY, headers=headers) as response:
                    await response.read()

            clients = {"stock httpx": post_stock, "clay_client": post_ours, "bare aiohttp": post_bare}
            for _ in range(ROUNDS):
                for in_flight, (name, post) in itertools.product(IN_FLIGHT, clients.items()):
                    figures.setdefault((name, in_flight), []).append(await _measure(post, in_flight))
        await ours.close()
    return [
        Row(name, in_flight, *(statistics.median(column) for column in zip(*rounds, strict=True)))
        for (name, in_flight), rounds in figures.items()
    ]


def table(rows: list[Row]) -> str:
    lines = [f"{'client':<14}" + "".join(f"{n:>20}" for n in IN_FLIGHT) + "   POSTs/s (CPU µs), by POSTs in flight"]
    for name in dict.fromkeys(row.client for row in rows):
        cells = (f"{r.posts_per_second:,.0f} ({r.cpu_microseconds:,.0f})" for r in rows if r.client == name)
        lines.append(f"{name:<14}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(uvloop.run(run())))
