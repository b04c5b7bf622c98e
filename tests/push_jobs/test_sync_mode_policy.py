"""The decision about sync modes, without a database."""

import pytest

from clay_push_service.push_jobs.targets.sync_mode import ChangedLead, decide_sync, describe_price
from clay_push_service.states import DuplicateHandling, SyncedLeads


@pytest.mark.parametrize(
    ("mode", "dedupe", "changed", "is_refused"),
    [
        *((SyncedLeads.NEW, dedupe, ChangedLead.SKIPPED, False) for dedupe in DuplicateHandling),
        (SyncedLeads.NEW_AND_CHANGED, DuplicateHandling.NONE, ChangedLead.NEW_ROW, False),
        (SyncedLeads.NEW_AND_CHANGED, DuplicateHandling.KEEPS_NEWEST, ChangedLead.UPDATED, False),
        (SyncedLeads.NEW_AND_CHANGED, DuplicateHandling.KEEPS_OLDEST, ChangedLead.SKIPPED, True),
        (SyncedLeads.NEW_AND_CHANGED, DuplicateHandling.UNKNOWN, ChangedLead.SKIPPED, True),
    ],
)
def test_decision(mode: SyncedLeads, dedupe: DuplicateHandling, changed: ChangedLead, *, is_refused: bool) -> None:
    decision = decide_sync(mode, dedupe)
    assert (decision.changed, decision.refusal is not None) == (changed, is_refused)


def test_price_is_shown_only_for_leads_that_are_sent_again() -> None:
    assert describe_price(ChangedLead.SKIPPED, 5) is None
    assert describe_price(ChangedLead.NEW_ROW, 0) is None
    assert describe_price(ChangedLead.NEW_ROW, 1_200, estimated=True) == (
        "About 1,200 changed leads use 1,200 submissions of the webhook's quota and create as many second rows, which Clay bills"
        " again; the old rows stay."
    )
