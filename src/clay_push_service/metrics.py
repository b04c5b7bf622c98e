"""Prometheus metrics: counts and times by cause and kind; never an organization's data, a URL or a lead."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter(
    "clay_push_attempts_total", "Deliveries that changed status, by status and cause", ["status", "cause"]
)
SKIPPED = Counter(
    "clay_push_skipped_total", "Leads that were skipped when their push was accepted, by cause", ["cause"]
)
for _cause in ("no_route", "excluded", "erased", "already_in_clay", "already_queued", "maybe_in_clay"):
    SKIPPED.labels(cause=_cause)
POST_SECONDS = Histogram(
    "clay_push_post_seconds",
    "Time from the first byte of a POST to Clay until its response",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECORD_SECONDS = Histogram(
    "clay_push_record_seconds",
    "Time to write one batch of results",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)
SLOTS_LATE = Counter("clay_push_slots_late_total", "Slots of the pace that were missed and reserved again")
SLOTS_USED = Counter("clay_push_slots_used_total", "Slots of the pace in which a POST was sent")
SLOTS_MISSED = Counter("clay_push_slots_missed_total", "Slots of the pace in which nothing was sent")
PACE_SHARE = Gauge(
    "clay_push_pace_share",
    "Share of the last minute's slots in which a POST was planned, of those that passed while leads waited; 1: no slot passed",
)
PACE_SHARE.set(1)
LATE_SECONDS = Histogram(
    "clay_push_late_seconds",
    "Time from a slot of the pace until the first byte of its POST",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1),
)
WORKSPACES_SERVED = Gauge("clay_push_workspaces_served", "Paced workspaces that this process serves")
THROTTLED = Counter("clay_push_throttled_total", "429 responses from Clay")
CLAIMS_LOST = Counter("clay_push_claims_lost_total", "Results whose claim had expired")
SLICES = Counter("clay_push_slices_total", "Slices, by how they ended", ["end"])
SWEPT = Counter("clay_push_swept_total", "Repairs of the sweep, by kind", ["kind"])
for _kind in ("unknown", "returned", "poison", "woken", "stuck"):
    SWEPT.labels(kind=_kind)  # start at 0: an alert needs a series before the first event
HOST_SETTINGS = Counter(
    "clay_push_host_settings_changes_total",
    "Changes of Clay settings in NexusLeads that the sweep stored or failed to store, by organization and pass",
    ["end"],
)
for _result in ("stored", "failed"):
    HOST_SETTINGS.labels(end=_result)
EMPTIED = Counter("clay_push_emptied_rows_total", "Deliveries whose personal columns were cleared by retention")
SECRETS_UNREADABLE = Counter("clay_push_secrets_unreadable_total", "Times a stored webhook could not be decrypted")
EXCLUSIONS = Counter("clay_push_exclusions_total", "Changes of exclusions", ["change"])
for _change in ("added", "removed"):
    EXCLUSIONS.labels(change=_change)
WRITTEN_BACK = Counter("clay_push_written_back_total", "Columns of NexusLeads that were filled or emptied", ["change"])
for _change in ("written", "undone"):
    WRITTEN_BACK.labels(change=_change)
AUTOMATIC_AFTER_RESULTS = Counter(
    "clay_push_automatic_after_results_total",
    "Leads that a rule pushed after a value of Clay was written into NexusLeads",
)
RESULTS_STORED = Counter("clay_push_results_stored_total", "Results from Clay that were stored", ["repeated"])
for _repeated in ("false", "true"):
    RESULTS_STORED.labels(repeated=_repeated)
RESULTS = Counter("clay_push_results_total", "Results from Clay, by what became of them", ["state", "cause"])
for _state, _cause in (("applied", "none"), ("nothing_new", "none"), ("unmatched", "unknown_id"), ("unmatched", "no_id"),
                       ("unmatched", "error"), ("unmatched", "secret_unreadable")):  # fmt: skip
    RESULTS.labels(state=_state, cause=_cause)
ENRICHMENT_STARTED = Counter("clay_push_enrichment_items_started_total", "Items whose run was started, or held")
ENRICHMENT_STARTS = Counter("clay_push_enrichment_runs_total", "Starts of routine runs, by result", ["result"])
for _result in ("started", "held", "insufficient_credits", "invalid_credentials", "rate_limited"):
    ENRICHMENT_STARTS.labels(result=_result)
ENRICHMENT_POLLS = Counter("clay_push_enrichment_polls_total", "Reads of routine runs, by result", ["result"])
ENRICHMENT_POLLS.labels(result="read")
ENRICHMENT_ITEMS = Counter(
    "clay_push_enrichment_items_total", "Leads of enrichment jobs that ended, by outcome and cause", ["end", "cause"]
)
ENRICHMENT_FIELDS = Counter(
    "clay_push_enrichment_fields_total", "Fields of results from Clay, found or not found", ["field", "result"]
)
CUSTOM_FIELDS = "custom"
"""The label of all `custom.*` fields together: their names are a customer's words."""
for _outcome, _cause in (("found", "none"), ("partial", "none"), ("nothing", "no_data"), ("failed", "item_failed"),
                         ("expired", "held"), ("expired", "results_expired"), ("expired", "missing_result"),
                         ("expired", "still_running"), ("expired", "no_answer")):  # fmt: skip
    ENRICHMENT_ITEMS.labels(end=_outcome, cause=_cause)
for _result in ("found", "not_found"):
    ENRICHMENT_FIELDS.labels(field="email", result=_result)
AUTO_ENRICH = Counter("clay_push_auto_enrich_runs_total", "Runs of auto-enrich rules, by outcome", ["end"])
for _outcome in ("queued", "nothing_new"):
    AUTO_ENRICH.labels(end=_outcome)
SCHEDULE_RUNS = Counter("clay_push_schedule_runs_total", "Runs of schedules, by outcome", ["end"])
for _outcome in ("queued", "nothing_new", "overlap", "missed", "failed"):
    SCHEDULE_RUNS.labels(end=_outcome)
SCHEDULES_PAUSED = Counter("clay_push_schedules_paused_total", "Schedules that were paused because their runs failed")
IN_FLIGHT = Gauge("clay_push_posts_in_flight", "POSTs to Clay in flight")
REQUESTS = Histogram(
    "clay_push_request_seconds",
    "Duration of requests to this service",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def attempted(counts: Mapping[tuple[str, str | None], int], durations_ms: Iterable[int]) -> None:
    """Count one batch: deliveries by status and cause, and the durations of their POSTs."""
    for (status, cause), number in counts.items():
        ATTEMPTS.labels(status=status, cause=cause or "none").inc(number)
    for milliseconds in durations_ms:
        POST_SECONDS.observe(milliseconds / 1000)


def skipped(causes: Mapping[str, int]) -> None:
    """Count the leads of one push job that were not queued, by cause."""
    for cause, number in causes.items():
        SKIPPED.labels(cause=cause).inc(number)


def sent_in_slots(late_seconds: Sequence[float]) -> None:
    """Count one batch of POSTs that were sent in slots of the pace. `late_seconds`: from the slot to the first byte."""
    SLOTS_USED.inc(len(late_seconds))
    for seconds in late_seconds:
        LATE_SECONDS.observe(max(seconds, 0.0))


def enrichment_ended(outcome: str, cause: str | None, found: Iterable[str], not_found: Iterable[str]) -> None:
    """Count one lead of an enrichment job that ended, and the fields of its result."""
    ENRICHMENT_ITEMS.labels(end=outcome, cause=cause or "none").inc()
    for result, fields in (("found", found), ("not_found", not_found)):
        for field in fields:
            label = CUSTOM_FIELDS if field.startswith(f"{CUSTOM_FIELDS}.") else field
            ENRICHMENT_FIELDS.labels(field=label, result=result).inc()


def results_written(seconds: float) -> None:
    RECORD_SECONDS.observe(seconds)
