"""A receiver on its own thread that gives random responses, including unusual ones, and records its response to each delivery."""

import asyncio
import random
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.receiver import OK, Behaviour, Receiver, Reset, Stall, receiving, status

LONG_HEADER = f"x-policy: {'a' * 9000}\r\n"
UNUSUAL = (
    status(200, headers=LONG_HEADER),
    status(422, headers=LONG_HEADER),
    status(200, headers="bad header name: 1\r\n"),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
)


class RandomReceiver(Receiver):
    """Gives random responses, and records the response to each POST of each delivery."""

    def __init__(self, seed: int, *, throttles: Sequence[int], delay_seconds: float) -> None:
        super().__init__(answer=self._answer, delay_seconds=delay_seconds)
        self._chance = random.Random(seed)
        self._throttles = frozenset(throttles)
        self.answers: list[Behaviour] = []

    def _answer(self, number: int, _body: bytes) -> Behaviour:
        behaviour = self._behave(number)
        self.answers.append(behaviour)
        return behaviour

    def _behave(self, number: int) -> Behaviour:
        if number in self._throttles:
            return status(429, headers="Retry-After: 1\r\n")
        kind = self._chance.random()
        if kind < 0.85:
            return OK
        if kind < 0.90:
            return status(self._chance.choice((500, 502, 503)))
        if kind < 0.92:
            return status(422)
        if kind < 0.94:
            return Reset()
        return Stall() if kind < 0.945 else self._chance.choice(UNUSUAL)

    def by_delivery(self) -> dict[str, list[str]]:
        """Returns the responses to each delivery in order: `taken` (2xx), `refused`, `throttled`, `failed` (5xx), `none`."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for post, answer in zip(self.posts, self.answers, strict=True):
            found[post.delivery_id].append(meaning(answer))
        return found

    def most_in_a_second(self) -> int:
        """Returns the largest number of POSTs in any window of one second, by this receiver's clock."""
        times = sorted(post.at for post in self.posts)
        most, first = 0, 0
        for last, moment in enumerate(times):
            while moment - times[first] >= 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most


def meaning(answer: Behaviour) -> str:
    if not isinstance(answer, bytes):
        return "none"
    code = int(answer[9:12])
    if code == 429:
        return "throttled"
    return {2: "taken", 4: "refused", 5: "failed"}[code // 100]


@contextmanager
def own_thread(receiver: RandomReceiver) -> Iterator[RandomReceiver]:
    """Run the receiver on its own event loop, so that work of the test does not delay its clock."""
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with receiving(receiver):
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="receiver")
    thread.start()
    started.wait()
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
