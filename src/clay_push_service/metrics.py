"""Prometheus metrics: counts and times by cause and kind; never an organization's data, a URL or a lead."""

from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter(
    "clay_push_attempts_total", "Deliveries moved, by the status they got and its cause", ["status", "cause"]
)
POST_SECONDS = Histogram(
    "clay_push_post_seconds",
    "From the first byte of a POST to Clay until its answer",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECORD_SECONDS = Histogram(
    "clay_push_record_seconds",
    "Writing one batch of results",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)
PACE_WAITED = Counter("clay_push_pace_waited_seconds_total", "Seconds that slices waited for a slot of their pace")
SLOTS_LATE = Counter("clay_push_slots_late_total", "Slots of the pace that were late and were reserved anew")
THROTTLED = Counter("clay_push_throttled_total", "429 answers from Clay")
CLAIMS_LOST = Counter("clay_push_claims_lost_total", "Results that found their claim gone")
SLICES = Counter("clay_push_slices_total", "Slices drained, by how they ended", ["end"])
SWEPT = Counter("clay_push_swept_total", "What the sweep put right", ["kind"])
for _kind in ("unknown", "returned", "poison", "woken", "stuck"):
    SWEPT.labels(kind=_kind)  # 0 from the start: an alert on what has never happened must have a series to look at
EMPTIED = Counter("clay_push_emptied_rows_total", "Deliveries whose personal columns retention has emptied")
SECRETS_UNREADABLE = Counter("clay_push_secrets_unreadable_total", "Times a stored webhook could not be decrypted")
IN_FLIGHT = Gauge("clay_push_posts_in_flight", "POSTs to Clay without an answer yet")
REQUESTS = Histogram(
    "clay_push_request_seconds",
    "Requests to this service",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def attempted(counts: Mapping[tuple[str, str | None], int], durations_ms: Iterable[int]) -> None:
    """One batch: how many deliveries got which status with which cause, and how long their POSTs took."""
    for (status, cause), number in counts.items():
        ATTEMPTS.labels(status=status, cause=cause or "none").inc(number)
    for milliseconds in durations_ms:
        POST_SECONDS.observe(milliseconds / 1000)


def results_written(seconds: float) -> None:
    RECORD_SECONDS.observe(seconds)
