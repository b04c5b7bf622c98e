"""Counts unknown outcomes of 10,000 requests to a receiver that closes idle connections, with pauses near its idle timeout."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from functools import partial

import uvloop

from bench.receiver import Receiver, receiver
from bench.transport import BODY, loopback_policy
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.destinations.guard import check_url

SENDS = 10_000
IDLE_TIMEOUTS = ((0.05, 32), (0.2, 128), (1.0, 500))
"""The receiver's idle timeout in seconds, and the number of concurrent senders. Each sender has its own pauses."""


class ClosesIdle(Receiver):
    """Closes a connection after this idle time, without a response."""

    def __init__(self, idle_timeout_seconds: float) -> None:
        super().__init__()
        self.idle_timeout_seconds = idle_timeout_seconds
        self.timer: asyncio.TimerHandle | None = None

    def answer(self) -> None:
        super().answer()
        if self.timer is not None:
            self.timer.cancel()
        assert self.transport is not None
        self.timer = asyncio.get_running_loop().call_later(self.idle_timeout_seconds, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if self.timer is not None:
            self.timer.cancel()
        super().data_received(data)


@dataclass(frozen=True, slots=True)
class Row:
    idle_timeout_seconds: float
    sends: int
    answers: dict[str, int]
    """Counts by class of the response. All but `Responded` are failures."""


async def _run(idle_timeout_seconds: float, senders: int) -> Row:
    with receiver(partial(ClosesIdle, idle_timeout_seconds)) as port:
        policy = loopback_policy(port)
        client = ClayClient(policy, request_timeout_seconds=30, connect_timeout_seconds=10)
        target = Target(check_url(f"http://localhost:{port}/v3/hook", policy))
        answers: Counter[str] = Counter()
        generator = random.Random(7)

        async def send() -> None:
            for _ in range(SENDS // senders):
                # half of the pauses are within 5 % of the idle timeout, half between 0 and twice the timeout
                spread = generator.choice(((0.95, 1.05), (0.0, 2.0)))
                await asyncio.sleep(idle_timeout_seconds * generator.uniform(*spread))
                answers[type(await client.post(target, BODY)).__name__] += 1

        await asyncio.gather(*(send() for _ in range(senders)))
        await client.close()
    return Row(idle_timeout_seconds, sum(answers.values()), dict(answers))


async def run() -> list[Row]:
    return [await _run(idle_timeout, senders) for idle_timeout, senders in IDLE_TIMEOUTS]


if __name__ == "__main__":
    for row in uvloop.run(run()):
        print(row)
