"""Simulates workers that share the pace of one workspace, and receivers that respond with 429. Events are on a heap; there is no real time.

Workers reserve slots ahead of time as `destinations/pace.py` does. A response arrives after further slots are reserved. A
worker that receives a 429 drops its reserved slots; the other workers use theirs. A seed makes each run repeatable.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import Protocol, Self

from bench.rate_receivers import Post, Receiver, Run
from clay_push_service.destinations.pace import HORIZON

HORIZON_SECONDS = HORIZON.total_seconds()


class Controller(Protocol):
    """The state of the pace after a 429. Immutable. Times are in seconds."""

    def interval(self, now: float) -> float:
        """Returns the interval between two slots at this moment."""
        ...

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self: ...

    def after_success(self, now: float, sent_at: float) -> Self: ...


@dataclass
class _Worker:
    generation: int = 0
    """Increases at each 429, so that slots of before are not used."""


class Simulation:
    """One workspace, several workers, one receiver. `leads` is the number of leads to deliver, or None for an endless push."""

    def __init__(
        self,
        controller: Controller,
        receiver: Receiver,
        *,
        workers: int = 1,
        latency: tuple[float, float] = (0.02, 0.3),
        leads: int | None = None,
        seed: int = 1,
    ) -> None:
        self.controller = controller
        self._receiver = receiver
        self._workers = [_Worker() for _ in range(workers)]
        self._latency = latency
        self._left = float("inf") if leads is None else leads
        self._undelivered = self._left
        self._random = Random(seed)
        self._next_slot = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._now = 0.0
        self._posts: list[Post] = []

    def run(self, seconds: float) -> Run:
        """Run until all leads are delivered, for at most this time."""
        for worker in self._workers:
            self._at(self._random.uniform(0.0, 0.1), partial(self._reserve, worker))
        while self._events and self._undelivered > 0:
            self._now, _, event = heapq.heappop(self._events)
            if self._now > seconds:
                break
            event()
        return Run(self._posts)

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def _reserve(self, worker: _Worker, generation: int | None = None) -> None:
        if generation is not None and generation != worker.generation:
            return
        generation = worker.generation
        if self._left <= 0:
            self._at(self._now + 0.1, partial(self._reserve, worker, generation))  # a refused lead may wait again
            return
        first, end = max(self._next_slot, self._now), self._now + HORIZON_SECONDS
        if first > end:
            self._at(self._now + min(first - end, 0.25) + 0.002, partial(self._reserve, worker, generation))
            return
        interval = self.controller.interval(self._now)
        wanted = int(min((end - first) / interval + 1, self._left))
        for index in range(wanted):
            self._at(first + index * interval, partial(self._send, worker, generation))
        self._left -= wanted
        self._next_slot = first + wanted * interval
        # the next window is reserved while the previous one is sent
        self._at(
            max(first + (wanted - 1) * interval - 0.05, self._now + 0.002), partial(self._reserve, worker, generation)
        )

    def _send(self, worker: _Worker, generation: int) -> None:
        if generation != worker.generation:
            self._left += 1
            return
        latency = self._random.uniform(*self._latency)
        self._at(self._now + latency / 2, partial(self._arrive, worker, self._now, latency / 2))

    def _arrive(self, worker: _Worker, sent_at: float, rest: float) -> None:
        accepted = self._receiver.accepts(self._now)
        self._posts.append(Post(self._now, accepted))
        self._at(self._now + rest, partial(self._respond, worker, sent_at, accepted))

    def _respond(self, worker: _Worker, sent_at: float, accepted: bool) -> None:
        if accepted:
            self._undelivered -= 1
            self.controller = self.controller.after_success(self._now, sent_at)
            return
        self._left += 1
        retry_after = self._receiver.retry_after
        self.controller = self.controller.after_429(self._now, retry_after, sent_at)
        self._next_slot = max(self._next_slot, self._now + retry_after)
        worker.generation += 1
        self._at(self._now + 0.05, partial(self._reserve, worker, worker.generation))
