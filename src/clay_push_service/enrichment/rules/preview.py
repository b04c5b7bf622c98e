"""Previews an auto-enrich rule: the leads that a run would request now, their cost, and the condition that excludes each other lead."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.automation.evaluated_leads import read_evaluation
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.enrichment.jobs.accept import price_for
from clay_push_service.enrichment.rules.blocked import blocked_by
from clay_push_service.enrichment.rules.preview_schemas import AutoEnrichPreview, LeadOfRule, LeftOutOfEnrichment
from clay_push_service.enrichment.rules.rule import read_rule
from clay_push_service.enrichment.rules.runs import read_runs
from clay_push_service.enrichment.rules.schemas import AutoEnrichView, RuleRunView
from clay_push_service.enrichment.rules.selection import MESSAGES, MOST, EnrichClause, RunReason, evaluate_leads
from clay_push_service.enrichment.settings.table import read_routines, read_settings
from clay_push_service.enrichment.settings.trial_schemas import CostEstimate
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.selection import require_project


async def preview_auto_enrich(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    reason: RunReason = RunReason.SCAN,
    *,
    after: str | None = None,
    limit: int = 50,
) -> AutoEnrichPreview:
    """Reads only. Raises 404 `project_not_found`."""
    await require_project(connection, tables, org_id, project_id)
    rule = await read_rule(connection, org_id, project_id)
    runs = [RuleRunView.of(run) for run in await read_runs(connection, org_id, project_id)]
    row = (await read_settings(connection, [org_id])).get(org_id)
    routine = (await read_routines(connection, org_id)).get(rule.kind)
    blocked = blocked_by(rule, row, reason)
    evaluated = evaluate_leads(tables, org_id, project_id, rule, reason, await read_excluding(connection, org_id))
    found = await read_evaluation(connection, evaluated, after, limit)
    counts = found.counts
    passed = counts.get(None, 0)
    next_run = min(passed, MOST)
    return AutoEnrichPreview(
        rule=AutoEnrichView.of(rule, runs),
        reason=reason,
        blocked=blocked.outcome if blocked else None,
        message=blocked.message if blocked else None,
        lead_count=sum(counts.values()),
        to_enrich=passed,
        next_run=next_run,
        estimate=CostEstimate.of_price(rule.kind, price_for(rule.kind, rule.way, routine), next_run),
        left_out=[
            LeftOutOfEnrichment(clause=clause, count=counts[clause], message=MESSAGES[clause])
            for clause in EnrichClause
            if clause in counts
        ],
        leads=[LeadOfRule.of(row) for row in found.page],
        next_cursor=found.next_cursor,
    )
