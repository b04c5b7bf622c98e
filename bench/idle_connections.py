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
PATIENCES = ((0.05, 32), (0.2, 128), (1.0, 500))
"""The receiver's idle timeout in seconds, and the number of concurrent senders, each with its own pauses."""


class Impatient(Receiver):
    """Closes a connection after this idle time, without a response."""

    def __init__(self, patience_seconds: float) -> None:
        super().__init__()
        self.patience_seconds = patience_seconds
        self.timer: asyncio.TimerHandle | None = None

    def answer(self) -> None:
        super().answer()
        if self.timer is not None:
            self.timer.cancel()
        assert self.transport is not None
        self.timer = asyncio.get_running_loop().call_later(self.patience_seconds, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if self.timer is not None:
            self.timer.cancel()
        super().data_received(data)


@dataclass(frozen=True, slots=True)
class Row:
    patience_seconds: float
    sends: int
    answers: dict[str, int]
    """By the answer's class; anything but `Responded` is a failure here."""


async def _run(patience_seconds: float, senders: int) -> Row:
    with receiver(partial(Impatient, patience_seconds)) as port:
        policy = loopback_policy(port)
        client = ClayClient(policy, request_timeout_seconds=30, connect_timeout_seconds=10)
        target = Target(check_url(f"http://localhost:{port}/v3/hook", policy))
        answers: Counter[str] = Counter()
        generator = random.Random(7)

        async def send() -> None:
            for _ in range(SENDS // senders):
                # Half of the pauses within 5 % of the patience, half anywhere up to twice of it.
                spread = generator.choice(((0.95, 1.05), (0.0, 2.0)))
                await asyncio.sleep(patience_seconds * generator.uniform(*spread))
                answers[type(await client.post(target, BODY)).__name__] += 1

        await asyncio.gather(*(send() for _ in range(senders)))
        await client.close()
    return Row(patience_seconds, sum(answers.values()), dict(answers))


async def run() -> list[Row]:
    return [await _run(patience, senders) for patience, senders in PATIENCES]


if __name__ == "__main__":
    for row in uvloop.run(run()):
        print(row)
