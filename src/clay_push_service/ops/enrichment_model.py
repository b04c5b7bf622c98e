"""The part of the `/status` document about enrichment, and about destinations whose results have stopped."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.ops.enrichment_load import EnrichmentLoad


class EnrichedOrganizationModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="Its name; null: cannot be read.")
    key_state: str = Field(
        description="Of its Clay API key: `untried`, `accepted`, `refused`; `none`: it has no key of its own."
    )
    rules_paused_cause: str | None = Field(description="Why its auto-enrich rules are paused; null: they are not.")
    held_runs: int = Field(description="Runs whose start got no clear response from Clay.")
    credits_used: float = Field(description="Estimated or reported credits of its current day; 0 without a budget.")
    credits_per_day: float | None = Field(description="Its daily budget of credits; null: no limit.")
    actions_used: float = Field(description="Actions of its current day; 0 without a budget.")
    actions_per_day: int | None = Field(description="Its daily budget of actions; null: no limit.")
    budget_percent: float | None = Field(description="The used share of the fuller budget; null: no budget.")


class SuspectModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="Its name; null: cannot be read.")
    table_name: str | None = Field(description="Its Clay table.")
    since: datetime = Field(description="When it became suspect.")


class EnrichmentModel(BaseModel):
    """Enrichment over all organizations."""

    keys: int = Field(description="Organizations with a Clay API key of their own.")
    refused_keys: int = Field(description="Those whose key Clay refuses.")
    rules_paused: int = Field(description="Organizations whose auto-enrich rules are paused.")
    queued_leads: int = Field(description="Leads that are not requested from Clay yet.")
    requested_leads: int = Field(description="Leads that Clay works on.")
    held_runs: int = Field(description="Runs whose start got no clear response from Clay.")
    oldest_held_seconds: float | None = Field(description="Seconds since the start of the oldest of them; null: none.")
    results_waiting: int = Field(description="Results from Clay's tables that are stored and not applied yet.")
    oldest_result_seconds: float | None = Field(
        description="Seconds since the oldest of them arrived; null: none waits."
    )
    results_unmatched: int = Field(description="Results in quarantine whose body is kept.")
    organizations: list[EnrichedOrganizationModel] = Field(
        description="Up to 20 organizations whose key is refused, whose rules are paused, that have held runs, or that have used at"
        " least 80 % of a daily budget; the fullest budget first."
    )
    suspect_destinations: int = Field(description="Destinations whose results have stopped.")
    suspect: list[SuspectModel] = Field(description="The 20 destinations that most recently became suspect.")


def enrichment_of(load: EnrichmentLoad, suspect: int, names: Mapping[UUID, str]) -> EnrichmentModel:
    totals = load.totals
    return EnrichmentModel(
        keys=totals.keys,
        refused_keys=totals.refused_keys,
        rules_paused=totals.rules_paused,
        queued_leads=totals.queued_leads,
        requested_leads=totals.requested_leads,
        held_runs=totals.held_runs,
        oldest_held_seconds=_rounded(totals.oldest_held_seconds),
        results_waiting=totals.results_waiting,
        oldest_result_seconds=_rounded(totals.oldest_result_seconds),
        results_unmatched=totals.results_unmatched,
        organizations=[
            EnrichedOrganizationModel(
                org_id=each.org_id, organization=names.get(each.org_id), key_state=each.key_state,
                rules_paused_cause=each.rules_paused_cause, held_runs=each.held_runs,
                credits_used=float(each.credits_used),
                credits_per_day=None if each.credits_per_day is None else float(each.credits_per_day),
                actions_used=float(each.actions_used), actions_per_day=each.actions_per_day,
                budget_percent=_rounded(each.budget_percent),
            )
            for each in load.organizations
        ],
        suspect_destinations=suspect,
        suspect=[
            SuspectModel(
                org_id=each.org_id, organization=names.get(each.org_id), table_name=each.table_name, since=each.since
            )
            for each in load.suspect
        ],
    )  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
