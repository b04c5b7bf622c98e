"""Models of receivers that respond with 429, for the simulation and for the receiver process of `bench/throttled.py`.

Times are seconds since the first POST. A 429 without `Retry-After` counts as one with 1 s (`clay/outcome.py`).
"""

from dataclasses import dataclass, field
from random import Random
from typing import Protocol


class Receiver(Protocol):
    """Accepts or refuses each POST. `retry_after` is the delay of its 429 responses; without a header it counts as 1 s."""

    @property
    def retry_after(self) -> float: ...

    def accepts(self, now: float) -> bool: ...


@dataclass
class EveryNth:
    """Refuses every n-th POST, at any rate."""

    n: int
    retry_after: float = 1.0
    posts: int = 0

    def accepts(self, now: float) -> bool:  # noqa: ARG002 - the protocol's
        self.posts += 1
        return self.posts % self.n != 0


@dataclass
class RandomShare:
    """Refuses a share of the POSTs at random, at any rate."""

    share: float
    seed: int = 1
    retry_after: float = 1.0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def accepts(self, now: float) -> bool:  # noqa: ARG002 - the protocol's
        return self.random.random() >= self.share


@dataclass
class TokenBucket:
    """Accepts `rate` POSTs per second with a burst of `burst` until `lifted_at`, and then all POSTs."""

    rate: float
    burst: float
    retry_after: float = 1.0
    lifted_at: float = float("inf")
    tokens: float = field(init=False)
    filled_at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def accepts(self, now: float) -> bool:
        self.tokens = min(self.tokens + (now - self.filled_at) * self.rate, self.burst)
        self.filled_at = now
        if now >= self.lifted_at:
            return True
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass
class SharedBucket:
    """A workspace of `rate` per second, from which another tool takes `other_rate` for `on` seconds of every `on + off`."""

    rate: float
    burst: float
    other_rate: float
    on: float
    off: float
    retry_after: float = 1.0
    bucket: TokenBucket = field(init=False)
    other_next: float = 0.0

    def __post_init__(self) -> None:
        self.bucket = TokenBucket(self.rate, self.burst)

    def accepts(self, now: float) -> bool:
        while self.other_next <= now:
            if self.other_next % (self.on + self.off) < self.on:
                self.bucket.accepts(self.other_next)
            self.other_next += 1.0 / self.other_rate
        return self.bucket.accepts(now)


@dataclass
class Outage:
    """Refuses all POSTs between two moments."""

    begins: float
    ends: float
    retry_after: float = 60.0

    def accepts(self, now: float) -> bool:
        return not self.begins <= now < self.ends


@dataclass
class Bursts:
    """Refuses `posts` consecutive POSTs every `every` seconds."""

    every: float
    posts: int
    retry_after: float = 1.0
    begun: int = 0
    left: int = 0

    def accepts(self, now: float) -> bool:
        if now >= (self.begun + 1) * self.every:
            self.begun, self.left = int(now // self.every), self.posts
        if self.left:
            self.left -= 1
            return False
        return True


@dataclass(frozen=True, slots=True)
class Post:
    arrived_at: float
    accepted: bool


@dataclass(frozen=True, slots=True)
class Run:
    """The POSTs that a receiver got."""

    posts: list[Post]

    @property
    def seconds(self) -> float:
        """Seconds until the last accepted POST."""
        return max(post.arrived_at for post in self.posts if post.accepted)

    def accepted_per_second(self, begin: float, end: float) -> float:
        return sum(post.accepted for post in self.posts if begin <= post.arrived_at < end) / (end - begin)

    def refused_percent(self, begin: float, end: float) -> float:
        among = [post.accepted for post in self.posts if begin <= post.arrived_at < end]
        return 100.0 * among.count(False) / len(among) if among else 0.0

    def reached(self, rate: float, begin: float, window: float = 5.0) -> float:
        """Returns the seconds from `begin` until the end of the first window with this accepted rate, or infinity."""
        times = [post.arrived_at for post in self.posts if post.accepted and post.arrived_at >= begin]
        needed = round(rate * window)
        for first, last in zip(times, times[needed - 1 :], strict=False):
            if last - first <= window:
                return last - begin
        return float("inf")
