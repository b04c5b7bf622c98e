"""Builds the API's view of a lead's enrichment: badge, score, and each field with its source, times and history."""

from datetime import datetime

from clay_push_service.enrichment.values.choice import ENRICHED, ValueSource
from clay_push_service.enrichment.values.confidence import ConfidenceBand, ConfidenceBasis, band
from clay_push_service.enrichment.values.lead import HOST_ID, EnrichedLead, LeadField
from clay_push_service.enrichment.values.normalise import Value
from clay_push_service.enrichment.values.schemas import (
    BadgeView,
    FieldText,
    FieldView,
    LeadEnrichment,
    ScoreView,
    SearchState,
    ValueView,
)
from clay_push_service.enrichment.values.store import StoredValue
from clay_push_service.host.enrichment_conditions import STALE_AFTER

MAX_HISTORY = 100
"""Most entries of one field in a response."""


def view_lead(lead: EnrichedLead, now: datetime) -> LeadEnrichment:
    at = lead.enriched_at
    return LeadEnrichment(
        lead_id=lead.lead_id,
        badge=BadgeView(enriched=at is not None, enriched_at=at, stale=is_stale(at, now)),
        score=score(lead),
        fields=[_field(each, now) for each in lead.fields],
    )


def is_stale(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at > STALE_AFTER


def score(lead: EnrichedLead) -> ScoreView:
    """Returns the mean of the given confidences. One derived figure makes the mean a derived one."""
    chosen = [each.chosen for each in lead.fields]
    confidences = [
        (each.candidate.confidence, each.basis)
        for each in chosen
        if each is not None and each.candidate.source in ENRICHED and each.candidate.confidence is not None
    ]
    if not confidences:
        return ScoreView(confidence=None, band=ConfidenceBand.NOT_GIVEN, basis=ConfidenceBasis.NONE)
    mean = round(sum(percent for percent, _ in confidences) / len(confidences))
    basis = (
        ConfidenceBasis.DERIVED
        if any(each is ConfidenceBasis.DERIVED for _, each in confidences)
        else ConfidenceBasis.REPORTED
    )
    return ScoreView(confidence=mean, band=band(mean), basis=basis)


def _field(found: LeadField, now: datetime) -> FieldView:
    current, search = found.current, found.last_search
    is_pinned = current is not None and current.pinned_by is not None
    return FieldView(
        field=found.name,
        state=_state(search),
        current=_current(found),
        chosen_because=None if found.choice is None else found.choice.reason,
        pinned_by=current.pinned_by if current is not None and is_pinned else None,
        pinned_at=current.pinned_at if current is not None and is_pinned else None,
        stale=search is not None and is_stale(search.candidate.received_at, now),
        host_value=_text(found.host),
        history=[_value(each) for each in reversed(found.history[-MAX_HISTORY:])],
        history_count=len(found.history),
    )


def _state(search: StoredValue | None) -> SearchState:
    if search is None:
        return SearchState.NOT_SEARCHED
    return SearchState.NOT_FOUND if search.candidate.key is None else SearchState.FOUND


def _current(found: LeadField) -> ValueView | None:
    if found.choice is not None and found.choice.id == HOST_ID:
        return ValueView(
            id=None, value=_text(found.host), source=ValueSource.HOST, provider=None, confidence=None, band=ConfidenceBand.NOT_GIVEN,
            basis=ConfidenceBasis.NONE, email_status=None, observed_at=None, received_at=None, entered_by=None,
        )  # fmt: skip
    return None if found.chosen is None else _value(found.chosen)


def _value(stored: StoredValue) -> ValueView:
    candidate = stored.candidate
    return ValueView(
        id=candidate.id,
        value=_text(stored.value),
        source=candidate.source,
        provider=stored.provider,
        confidence=candidate.confidence,
        band=band(candidate.confidence),
        basis=stored.basis,
        email_status=candidate.status,
        observed_at=candidate.observed_at,
        received_at=candidate.received_at,
        entered_by=stored.created_by,
    )


def _text(value: Value | None) -> FieldText | None:
    return list(value) if isinstance(value, tuple) else value
