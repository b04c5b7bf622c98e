"""Reads the state of enrichment over all organizations, and of destinations whose results have stopped. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.ops.advice import Advice, Level, counted

SHOWN: Final = 20
"""Organizations and destinations listed at most."""
BUDGET_PERCENT: Final = 80
"""An organization is listed from this used share of a daily budget."""
LATE_SECONDS: Final = 120
"""A worker applies a stored result within about a second."""


class EnrichmentTotals(NamedTuple):
    """Totals of all organizations."""

    keys: int = 0
    refused_keys: int = 0
    rules_paused: int = 0
    queued_leads: int = 0
    requested_leads: int = 0
    held_runs: int = 0
    oldest_held_seconds: float | None = None
    results_waiting: int = 0
    oldest_result_seconds: float | None = None
    results_unmatched: int = 0


TOTALS = Statement(
    """
SELECT settings.keys, settings.refused_keys, settings.rules_paused, items.queued_leads, items.requested_leads, runs.held_runs,
       runs.oldest_held_seconds, results.results_waiting, results.oldest_result_seconds, unmatched.results_unmatched
FROM (SELECT count(*) FILTER (WHERE sealed_api_key IS NOT NULL) AS keys,
             count(*) FILTER (WHERE sealed_api_key IS NOT NULL AND key_state = 'refused') AS refused_keys,
             count(*) FILTER (WHERE rules_paused_at IS NOT NULL) AS rules_paused
      FROM clay.enrichment_settings) AS settings,
     (SELECT count(*) FILTER (WHERE state = 'queued') AS queued_leads,
             count(*) FILTER (WHERE state IN ('starting', 'requested')) AS requested_leads
      FROM clay.enrichment_items WHERE state <> 'done') AS items,
     (SELECT count(*) AS held_runs, CAST(extract(epoch FROM now() - min(started_at)) AS float) AS oldest_held_seconds
      FROM clay.enrichment_runs WHERE state = 'held') AS runs,
     (SELECT count(*) AS results_waiting, CAST(extract(epoch FROM now() - min(received_at)) AS float) AS oldest_result_seconds
      FROM clay.inbound_results WHERE state = 'stored') AS results,
     (SELECT count(*) AS results_unmatched FROM clay.inbound_results
      WHERE state = 'unmatched' AND sealed_body IS NOT NULL) AS unmatched
""",
    EnrichmentTotals,
)


@dataclass(frozen=True, slots=True)
class ListedOrganization:
    """An organization that an operator may need to look at. Budgets are those of its current day; None: no limit."""

    org_id: UUID
    key_state: str
    rules_paused_cause: str | None
    held_runs: int
    credits_used: Decimal
    credits_per_day: Decimal | None
    actions_used: Decimal
    actions_per_day: int | None
    budget_percent: float | None
    """The used share of the fuller budget; None: no budget."""


ORGANIZATIONS = Statement(
    f"""
WITH used AS (
    SELECT item.org_id, sum(item.credits) AS credits, sum(item.actions) AS actions
    FROM clay.enrichment_settings AS settings
    JOIN clay.enrichment_items AS item ON item.org_id = settings.org_id
     AND item.started_at >= date_trunc('day', now() AT TIME ZONE settings.time_zone) AT TIME ZONE settings.time_zone
    WHERE settings.credits_per_day IS NOT NULL OR settings.actions_per_day IS NOT NULL
    GROUP BY item.org_id
), held AS (
    SELECT org_id, count(*) AS runs FROM clay.enrichment_runs WHERE state = 'held' GROUP BY org_id
), state AS (
    SELECT settings.org_id, CASE WHEN settings.sealed_api_key IS NULL THEN 'none' ELSE settings.key_state END AS key_state,
           settings.rules_paused_cause, coalesce(held.runs, 0) AS held_runs,
           coalesce(used.credits, 0) AS credits_used, settings.credits_per_day,
           coalesce(used.actions, 0) AS actions_used, settings.actions_per_day,
           CAST(greatest(100 * coalesce(used.credits, 0) / nullif(settings.credits_per_day, 0),
                         100 * coalesce(used.actions, 0) / nullif(settings.actions_per_day, 0)) AS float) AS budget_percent
    FROM clay.enrichment_settings AS settings
    LEFT JOIN used ON used.org_id = settings.org_id
    LEFT JOIN held ON held.org_id = settings.org_id
)
SELECT org_id, key_state, rules_paused_cause, held_runs, credits_used, credits_per_day, actions_used, actions_per_day, budget_percent
FROM state
WHERE key_state = 'refused' OR rules_paused_cause IS NOT NULL OR held_runs > 0 OR budget_percent >= {BUDGET_PERCENT}
ORDER BY budget_percent DESC NULLS LAST, org_id LIMIT :shown
""",
    ListedOrganization,
)


@dataclass(frozen=True, slots=True)
class ListedSuspect:
    """A destination whose results have stopped."""

    org_id: UUID
    table_name: str | None
    since: datetime


SUSPECT = Statement(
    """
SELECT org_id, coalesce(table_name, name) AS table_name, suspect_since AS since FROM clay.destinations
WHERE suspect_since IS NOT NULL ORDER BY suspect_since DESC, org_id LIMIT :shown
""",
    ListedSuspect,
)


@dataclass(frozen=True, slots=True)
class EnrichmentLoad:
    totals: EnrichmentTotals = field(default_factory=EnrichmentTotals)
    organizations: Sequence[ListedOrganization] = ()
    suspect: Sequence[ListedSuspect] = ()
    """The most recent ones."""

    @property
    def listed(self) -> list[UUID]:
        return [*(each.org_id for each in self.organizations), *(each.org_id for each in self.suspect)]


async def read_enrichment_load(connection: AsyncConnection) -> EnrichmentLoad:
    """Reads the state in the caller's transaction."""
    return EnrichmentLoad(
        await TOTALS.one(connection),
        await ORGANIZATIONS.rows(connection, {"shown": SHOWN}),
        await SUSPECT.rows(connection, {"shown": SHOWN}),
    )


def enrichment_advice(load: EnrichmentLoad, suspect: int) -> Sequence[Advice]:
    """`suspect`: number of suspect destinations. Problems that only an organization can repair are listed, but give no advice."""
    totals = load.totals
    found = []
    if (totals.oldest_result_seconds or 0.0) > LATE_SECONDS:
        found.append(
            Advice(
                Level.DEGRADED,
                f"Results from Clay have been stored for {totals.oldest_result_seconds:.0f} s and no worker applies them.",
                "They are not lost. Start a worker; if workers run, read `results.not_applied` in their logs.",
            )
        )
    if suspect:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(suspect, 'destination is', 'destinations are')} suspect, because results from the Clay table have stopped.",
                "Auto-export into it is held. Notify the organization: credits may be used up, the table may be full, or auto-run may"
                " be off.",
            )
        )
    if totals.held_runs:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(totals.held_runs, 'routine run is', 'routine runs are')} held, because Clay gave no clear response to the start.",
                "Do not start it again: it may be running and charged. Check Clay's status and the network to CLAY_PUSH_CLAY_API_URL.",
            )
        )
    return found
