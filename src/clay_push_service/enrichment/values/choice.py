"""Chooses the current value of a field by priority: pinned, a user's edit, the host's own, the newest. Pure.

The result depends only on the set of candidates, never on the order in which they arrived.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from clay_push_service.enrichment.values.confidence import EmailCheck

TRUSTED_FOR = timedelta(days=180)
"""Time after which a newer value replaces a more confident one: six months, the guide's interval for enriching again."""
MUCH_LESS_CONFIDENT = 20
"""Percentage points. A newer value that is less confident by more than this does not replace a recent one."""


class ValueSource(StrEnum):
    """Where a value comes from. The host's values are read when they are shown, and never stored."""

    ROUTINE = "routine"
    TABLE = "table"
    PERSON = "person"
    HOST = "host"


ENRICHED = frozenset({ValueSource.ROUTINE, ValueSource.TABLE})


class ChoiceReason(StrEnum):
    """Why a value is the current one."""

    PINNED = "pinned"
    EDITED = "edited"
    HOST = "host"
    NEWEST = "newest"
    MORE_CONFIDENT = "more_confident"
    """A newer value is much less confident, and this one is recent."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """`key` None: Clay searched and found nothing, or a user has withdrawn an edit."""

    id: UUID
    source: ValueSource
    key: str | None
    observed_at: datetime
    received_at: datetime
    confidence: int | None = None
    status: EmailCheck | None = None

    @property
    def age_order(self) -> tuple[datetime, datetime, UUID]:
        return self.observed_at, self.received_at, self.id

    @property
    def is_usable(self) -> bool:
        return self.key is not None and self.status is not EmailCheck.INVALID


@dataclass(frozen=True, slots=True)
class Choice:
    id: UUID
    reason: ChoiceReason


def choose(candidates: Sequence[Candidate], pinned: UUID | None = None) -> Choice | None:
    """Returns None if there is no value. The first rule that finds a value decides."""
    ordered = sorted(candidates, key=lambda each: each.age_order)
    return next((found for rule in RULES if (found := rule(ordered, pinned)) is not None), None)


def _pinned(candidates: Sequence[Candidate], pinned: UUID | None) -> Choice | None:
    return next((Choice(each.id, ChoiceReason.PINNED) for each in candidates if each.id == pinned), None)


def _edited(candidates: Sequence[Candidate], _pinned: UUID | None) -> Choice | None:
    """Returns the last edit. If it has no value, the user has withdrawn all edits."""
    edits = [each for each in candidates if each.source is ValueSource.PERSON]
    return Choice(edits[-1].id, ChoiceReason.EDITED) if edits and edits[-1].key is not None else None


def _of_host(candidates: Sequence[Candidate], _pinned: UUID | None) -> Choice | None:
    return next(
        (
            Choice(each.id, ChoiceReason.HOST)
            for each in candidates
            if each.source is ValueSource.HOST and each.is_usable
        ),
        None,
    )


def _newest(candidates: Sequence[Candidate], _pinned: UUID | None) -> Choice | None:
    kept: Candidate | None = None
    reason = ChoiceReason.NEWEST
    for each in candidates:
        if each.source not in ENRICHED or not each.is_usable:
            continue
        if kept is None or replaces(each, kept):
            kept, reason = each, ChoiceReason.NEWEST
        else:
            reason = ChoiceReason.MORE_CONFIDENT
    return None if kept is None else Choice(kept.id, reason)


def replaces(newer: Candidate, kept: Candidate) -> bool:
    """Whether a newer enriched value replaces the kept one. A missing confidence is never compared."""
    if newer.key == kept.key or newer.confidence is None or kept.confidence is None:
        return True
    is_recent = newer.observed_at - kept.observed_at < TRUSTED_FOR
    return not (is_recent and kept.confidence - newer.confidence > MUCH_LESS_CONFIDENT)


RULES: Sequence[Callable[[Sequence[Candidate], UUID | None], Choice | None]] = (_pinned, _edited, _of_host, _newest)
