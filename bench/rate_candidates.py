"""The rate controllers that the simulation compares. Each stays between the floor and the set pace. Times are in seconds."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from clay_push_service.destinations.rate_controller import RateController

FLOOR_SECONDS = 1.0


def _bounded(rate: float, set_interval: float) -> float:
    """Returns the interval of a rate, limited by the set pace and the floor."""
    slowest = max(FLOOR_SECONDS, set_interval)
    return min(max(1.0 / rate, set_interval), slowest) if rate > 0 else slowest


@dataclass(frozen=True, slots=True)
class Doubling:
    """The earlier controller: each 429 doubles the interval, up to a minute. The interval recovers linearly over five minutes."""

    set_interval: float
    throttled: float | None = None
    throttled_at: float = 0.0

    def interval(self, now: float) -> float:
        if self.throttled is None:
            return self.set_interval
        left = 1.0 - min(max((now - self.throttled_at) / 300.0, 0.0), 1.0)
        return self.set_interval + max(self.throttled - self.set_interval, 0.0) * left

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        if self.throttled is not None and now - self.throttled_at < 1.0:
            return self
        return replace(self, throttled=min(self.interval(now) * 2, 60.0), throttled_at=now)

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        return self


@dataclass(frozen=True, slots=True)
class Additive:
    """AIMD: a 429 multiplies the rate by `beta`. Each second without a 429 adds `per_second`."""

    set_interval: float
    beta: float = 0.5
    per_second: float = 0.5
    rate: float = math.inf
    resumes_at: float = -math.inf

    def _rate(self, now: float) -> float:
        return min(self.rate + max(now - self.resumes_at, 0.0) * self.per_second, 1.0 / self.set_interval)

    def interval(self, now: float) -> float:
        return _bounded(self._rate(now), self.set_interval)

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:
        resumes_at = max(now + retry_after, self.resumes_at)
        if sent_at < self.resumes_at:
            return replace(self, resumes_at=resumes_at)
        rate = max(self._rate(now) * self.beta, 1.0 / max(FLOOR_SECONDS, self.set_interval))
        return replace(self, rate=rate, resumes_at=resumes_at)

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        return self


@dataclass(frozen=True, slots=True)
class Multiplicative:
    """MIMD per POST: a 429 multiplies the rate by `beta`, and `posts` accepted POSTs restore it, so the interval falls linearly in time."""

    set_interval: float
    beta: float = 0.8
    posts: float = 12.0
    throttled: float = 0.0
    resumes_at: float = -math.inf

    def interval(self, now: float) -> float:
        slope = math.log(1 / self.beta) / self.posts
        fallen = self.throttled - slope * max(now - self.resumes_at, 0.0) if self.throttled else 0.0
        return min(max(fallen, self.set_interval), max(FLOOR_SECONDS, self.set_interval))

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:
        resumes_at = max(now + retry_after, self.resumes_at)
        if sent_at < self.resumes_at:
            return replace(self, resumes_at=resumes_at)
        return replace(self, throttled=min(self.interval(now) / self.beta, FLOOR_SECONDS), resumes_at=resumes_at)

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        return self


@dataclass(frozen=True, slots=True)
class Throughput:
    """A 429 sets the rate to `share` of the accepted rate since the previous 429. The rate grows by `growth` per second."""

    set_interval: float
    share: float = 1.2
    growth: float = 0.03
    rate: float = math.inf
    resumes_at: float = -math.inf
    counted_from: float = 0.0
    accepted: int = 0

    def interval(self, now: float) -> float:
        grown = (
            self.rate * math.exp(self.growth * min(max(now - self.resumes_at, 0.0), 300.0))
            if self.rate < math.inf
            else math.inf
        )
        return _bounded(grown, self.set_interval)

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:
        resumes_at = max(now + retry_after, self.resumes_at)
        if sent_at < self.resumes_at:
            return replace(self, resumes_at=resumes_at)
        measured = self.accepted / max(now - self.counted_from, 0.1)
        rate = min(max(measured * self.share, 1.0), 1.0 / self.interval(now))
        return replace(self, rate=rate, resumes_at=resumes_at, counted_from=now, accepted=0)

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        return replace(self, accepted=self.accepted + 1)


@dataclass(frozen=True, slots=True)
class Adaptive:
    """The client rate limiter of the AWS SDKs ("adaptive" retry mode): CUBIC on the measured rate, in seconds."""

    set_interval: float
    beta: float = 0.7
    scale: float = 0.4
    enabled: bool = False
    rate: float = math.inf
    last_max: float = 0.0
    failed_at: float = 0.0
    measured: float = 0.0
    bucket: float = 0.0
    in_bucket: int = 0

    def interval(self, now: float) -> float:  # noqa: ARG002 - the protocol's
        return _bounded(self.rate, self.set_interval)

    def _measure(self, now: float) -> Self:
        bucket = math.floor(now * 2) / 2
        if bucket <= self.bucket:
            return replace(self, in_bucket=self.in_bucket + 1)
        current = (self.in_bucket + 1) / (bucket - self.bucket)
        return replace(self, measured=current * 0.8 + self.measured * 0.2, bucket=bucket, in_bucket=0)

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        clocked = self._measure(now)
        used = min(clocked.measured, self.rate) if self.enabled else clocked.measured
        rate = max(min(used * self.beta, 2 * clocked.measured), 0.5)
        return replace(clocked, enabled=True, rate=rate, last_max=used, failed_at=now)

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        clocked = self._measure(now)
        if not self.enabled:
            return clocked
        zero = (self.last_max * (1 - self.beta) / self.scale) ** (1 / 3)
        rate = self.scale * (now - self.failed_at - zero) ** 3 + self.last_max
        return replace(clocked, rate=max(min(rate, 2 * clocked.measured), 0.5))


@dataclass(frozen=True, slots=True)
class Cubic:
    """CUBIC with parameters, and with time counted in POSTs. `Shipped` has the parameters that the service uses."""

    set_interval: float
    kept: float = 0.8
    posts: float = 20.0
    probing: float = 2.0
    longest: float = 6.0
    pause_share: float = 1.0
    """Minimum recovery time, as a share of Retry-After; at most a minute."""
    refused: float | None = None
    resumes_at: float = -math.inf
    recovery: float = 1.0

    def interval(self, now: float) -> float:
        if self.refused is None:
            return self.set_interval
        x = max(now - self.resumes_at, 0.0) / self.recovery - 1.0
        return _bounded((1.0 + (self.probing if x > 0 else 1.0 - self.kept) * x**3) / self.refused, self.set_interval)

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:
        if sent_at < self.resumes_at:
            return replace(self, resumes_at=max(now + retry_after, self.resumes_at))
        refused = self.interval(sent_at)
        recovery = min(self.posts * refused, self.longest)
        if sent_at - self.resumes_at >= 2 * refused:
            recovery = max(recovery, min(self.pause_share * retry_after, 60.0))
        return replace(self, refused=refused, resumes_at=now + retry_after, recovery=recovery)

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        return self


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shipped:
    """The controller of the service, `destinations/rate_controller.py`."""

    controller: RateController

    @classmethod
    def create(cls, set_interval: float) -> Self:
        return cls(RateController(set_interval * 1000))

    def interval(self, now: float) -> float:
        return self.controller.interval_ms(_moment(now)) / 1000

    def after_429(self, now: float, retry_after: float, sent_at: float) -> Self:
        return replace(self, controller=self.controller.after_429(_moment(now), retry_after, _moment(sent_at)))

    def after_success(self, now: float, sent_at: float) -> Self:  # noqa: ARG002 - the protocol's
        return self


def _moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
