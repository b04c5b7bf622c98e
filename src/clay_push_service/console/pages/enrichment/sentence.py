"""Describes an enrichment job in sentences composed from its counts, and its state and outcomes as pills. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from clay_push_service.console.pages.jobs.sentence import Pill
from clay_push_service.console.pages.words import counted
from clay_push_service.enrichment.jobs.schemas import EnrichmentItemView, EnrichmentJobView
from clay_push_service.enrichment.ledger.states import (
    ENDED,
    CostSource,
    EnrichmentJobStatus,
    EnrichmentMode,
    ItemOutcome,
    ItemState,
    LegalBasis,
)
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.views import AmountView

KINDS: Final[Mapping[Kind, str]] = MappingProxyType({Kind.FULL: "All fields", Kind.EMAIL: "E-mail address alone"})
BASES: Final[Mapping[LegalBasis, str]] = MappingProxyType(
    {LegalBasis.LEGITIMATE_INTEREST: "Legitimate interest", LegalBasis.CONSENT: "Consent"}
)
MODES: Final[Mapping[EnrichmentMode, str]] = MappingProxyType(
    {
        EnrichmentMode.ONE: "One lead",
        EnrichmentMode.BATCH: "Selected leads",
        EnrichmentMode.AUTO: "Automatic, after a scan",
        EnrichmentMode.STALE: "Automatic, for old values",
    }
)
_STATES: Final[Mapping[EnrichmentJobStatus, Pill]] = MappingProxyType(
    {
        EnrichmentJobStatus.PENDING: Pill("Queued", "none", "clock"),
        EnrichmentJobStatus.RUNNING: Pill("Running", "busy", "loader"),
        EnrichmentJobStatus.COMPLETED: Pill("Completed", "good", "circle-check"),
        EnrichmentJobStatus.FAILED: Pill("Failed", "bad", "circle-x"),
        EnrichmentJobStatus.CANCELLED: Pill("Cancelled", "none", "ban"),
    }
)
_WITH_FAILURES: Final = Pill("Completed, some failed", "wait", "circle-alert")
OUTCOMES: Final[Mapping[ItemOutcome, Pill]] = MappingProxyType(
    {
        ItemOutcome.FOUND: Pill("Found", "good", "circle-check"),
        ItemOutcome.PARTIAL: Pill("Partly found", "good", "check"),
        ItemOutcome.NOTHING: Pill("Nothing found", "none", "circle-minus"),
        ItemOutcome.FAILED: Pill("Failed", "bad", "circle-x"),
        ItemOutcome.EXPIRED: Pill("No result in time", "unsure", "circle-help"),
        ItemOutcome.SKIPPED: Pill("Skipped", "none", "circle-minus"),
        ItemOutcome.CANCELLED: Pill("Cancelled", "none", "ban"),
    }
)
_UNFINISHED: Final[Mapping[ItemState, Pill]] = MappingProxyType(
    {
        ItemState.QUEUED: Pill("Queued", "none", "clock"),
        ItemState.STARTING: Pill("Requested from Clay", "busy", "loader"),
        ItemState.HELD: Pill("May be requested", "unsure", "circle-help"),
        ItemState.REQUESTED: Pill("Requested from Clay", "busy", "loader"),
        ItemState.DONE: Pill("Ended", "none", "circle-minus"),
    }
)
COSTS: Final[Mapping[CostSource, str]] = MappingProxyType(
    {
        CostSource.NONE: "Not charged",
        CostSource.RESERVED: "Reserved until the result is known",
        CostSource.ESTIMATED: "Estimated",
        CostSource.REPORTED: "Reported by the routine",
    }
)


@dataclass(frozen=True, slots=True)
class Bar:
    """What the macro `outcome_bar` draws: leads that Clay answered, and leads that failed."""

    lead_count: int
    skipped_count: int
    success_count: int
    failed_count: int
    progress_percent: int


def enrichment_pill(job: EnrichmentJobView) -> Pill:
    if job.status is EnrichmentJobStatus.COMPLETED and job.failed_count + job.expired_count:
        return _WITH_FAILURES
    return _STATES[job.status]


def item_pill(item: EnrichmentItemView) -> Pill:
    return _UNFINISHED[item.state] if item.outcome is None else OUTCOMES[item.outcome]


def enrichment_sentence(job: EnrichmentJobView) -> str:
    """`Of 12 leads, 7 have all fields, 2 have some and 3 failed.` Its numbers add up to the first."""
    parts = [
        _part(job.found_count, "has all fields", "have all fields"),
        _part(job.partial_count, "has some fields", "have some fields"),
        _part(job.nothing_count, "was not found by Clay", "were not found by Clay"),
        _part(job.failed_count, "failed", "failed"),
        _part(job.expired_count, "got no result in time", "got no result in time"),
        _part(job.skipped_count, "was skipped", "were skipped"),
        _part(job.cancelled_count, "was cancelled", "were cancelled"),
        _part(job.pending_count, "has not ended", "have not ended"),
    ]
    named = [part for part in parts if part]
    if not named:
        return "No lead was selected for this enrichment."
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"Of {counted(job.lead_count, 'lead')}, {listed}."


def bar_of(job: EnrichmentJobView) -> Bar:
    return Bar(
        lead_count=job.lead_count,
        skipped_count=job.skipped_count + job.cancelled_count,
        success_count=job.found_count + job.partial_count + job.nothing_count,
        failed_count=job.failed_count + job.expired_count,
        progress_percent=job.progress_percent,
    )


def is_live(job: EnrichmentJobView) -> bool:
    return job.status not in ENDED


def amount_words(amount: AmountView, unit: str) -> str:
    """`5 to 10 credits`, `1 credit`, `at least 3 actions`."""
    low = quantity(amount.low)
    if amount.high is None:
        return f"at least {_with_unit(low, unit)}"
    if amount.high == amount.low:
        return _with_unit(low, unit)
    return f"{low} to {_with_unit(quantity(amount.high), unit)}"


def spent_words(value: float, unit: str) -> str:
    """`1.5 credits`."""
    return _with_unit(quantity(value), unit)


def quantity(value: float) -> str:
    """`1,200`, `1.5`; two decimals at most, which is what a price has."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"


def _part(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}" if count else ""
