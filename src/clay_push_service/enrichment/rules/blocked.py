"""Decides whether an auto-enrich rule may request leads at all, independent of the leads. Pure."""

from dataclasses import dataclass
from typing import Final

from clay_push_service.enrichment.rules.rule import NEEDS_BUDGET, EnrichRule, has_budget
from clay_push_service.enrichment.rules.runs import RuleRunOutcome
from clay_push_service.enrichment.rules.selection import RunReason
from clay_push_service.enrichment.settings.table import SettingsRow

OFF: Final = "Auto-enrich is off for this project."
NEVER_AGAIN: Final = "The rule enriches no lead again, because stale_months is not set."
PAUSED: Final = "Rules are paused, because Clay reported that credits are used up. An owner or admin can resume them."


@dataclass(frozen=True, slots=True)
class Blocked:
    outcome: RuleRunOutcome
    message: str


def blocked_by(rule: EnrichRule, row: SettingsRow | None, reason: RunReason) -> Blocked | None:
    """Why a run would request nothing. `row` None: the organization has no enrichment settings."""
    if not rule.enabled:
        return Blocked(RuleRunOutcome.OFF, OFF)
    if reason is RunReason.STALE and rule.stale_months is None:
        return Blocked(RuleRunOutcome.OFF, NEVER_AGAIN)
    if row is not None and row.rules_paused_at is not None:
        return Blocked(RuleRunOutcome.PAUSED, PAUSED)
    if row is None or not has_budget(row):
        return Blocked(RuleRunOutcome.REFUSED, NEEDS_BUDGET)
    return None
