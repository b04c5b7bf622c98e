"""Verifies the invariants of the ledger on live data: reads only, in one snapshot, and reports the ids of violations.

Each check is a statement that returns the ids of rows that violate it; no rows means that it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.sweep import LOST_CLAIMS_TO_POISON, WAITS_FOR_ITS_TURN

SAMPLE = 3
READ_ONLY = Statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
STATEMENT_SECONDS = 600
NO_TIMEOUT = Statement(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    must_hold: str
    """One sentence: what is true in correct data."""
    breaks: str
    """Returns column `id`. `:patience`: how long an overdue row may wait for its repair."""


@dataclass(frozen=True, slots=True)
class Violation:
    check: Check
    count: int
    sample: tuple[str, ...]


CHECKS: Sequence[Check] = (
    Check("counters", "A push job's counters match its deliveries.", """
        SELECT job.id FROM clay.push_jobs AS job
        LEFT JOIN (SELECT job_id, count(*) AS leads, count(*) FILTER (WHERE status = 'success') AS success,
                          count(*) FILTER (WHERE status = 'failed') AS failed,
                          count(*) FILTER (WHERE status = 'skipped') AS skipped,
                          count(*) FILTER (WHERE cause = 'unknown' AND status = 'failed') AS unknown
                   FROM clay.clay_push_log GROUP BY job_id) AS row ON row.job_id = job.id
        WHERE (job.lead_count, job.success_count, job.failed_count, job.skipped_count, job.unknown_count)
              <> (coalesce(row.leads, 0), coalesce(row.success, 0), coalesce(row.failed, 0), coalesce(row.skipped, 0),
                  coalesce(row.unknown, 0))"""),
    Check("cause_counts", "A push job's counts by cause match its deliveries.", """
        SELECT job.id FROM clay.push_jobs AS job
        JOIN LATERAL (SELECT sum(CAST(value AS integer)) FILTER (WHERE key LIKE 'failed %') AS failed,
                             sum(CAST(value AS integer)) FILTER (WHERE key LIKE 'skipped %') AS skipped,
                             jsonb_object_agg(key, CAST(value AS integer)) FILTER (WHERE value <> '0') AS counts
                      FROM jsonb_each_text(job.cause_counts)) AS stored ON true
        LEFT JOIN LATERAL (
            SELECT jsonb_object_agg(key, leads) AS counts
            FROM (SELECT concat_ws(' ', status, cause,
                                   CASE WHEN uncertain_attempts > 0 OR cause = 'unknown' THEN 'unsure' ELSE 'sure' END) AS key,
                         count(*) AS leads
                  FROM clay.clay_push_log WHERE job_id = job.id AND status IN ('failed', 'skipped') GROUP BY 1) AS by_key
            ) AS row ON true
        WHERE (coalesce(stored.failed, 0), coalesce(stored.skipped, 0)) = (job.failed_count, job.skipped_count)
          AND stored.counts IS DISTINCT FROM row.counts"""),
    Check("ended_jobs", "A finished push job has no live delivery.", """
        SELECT DISTINCT job.id FROM clay.push_jobs AS job
        JOIN clay.clay_push_log AS delivery ON delivery.job_id = job.id AND delivery.state <> 'done'
        WHERE job.status NOT IN ('pending', 'running')"""),
    Check("live_jobs", "A push job without a live delivery is finished.", """
        SELECT id FROM clay.push_jobs WHERE status IN ('pending', 'running')
          AND success_count + failed_count + skipped_count = lead_count"""),
    Check("one_live_delivery", "A lead has at most one live delivery to a destination.", """
        SELECT contributor_id AS id FROM clay.clay_push_log WHERE state <> 'done'
        GROUP BY org_id, destination_id, contributor_id HAVING count(*) > 1"""),
    Check("claims", "Only claimed deliveries have a token and a lease.", """
        SELECT id FROM clay.clay_push_log
        WHERE (state IN ('claimed', 'sending')) <> (claim_token IS NOT NULL)
           OR (claim_token IS NULL) <> (lease_until IS NULL) OR (state = 'done') <> (finished_at IS NOT NULL)
           OR (status = 'pending') <> (state <> 'done')"""),
    Check("causes", "A failed or skipped delivery has a cause, and no other.", """
        SELECT id FROM clay.clay_push_log
        WHERE status IN ('failed', 'skipped') AND cause IS NULL OR status = 'success' AND cause IS NOT NULL"""),
    # A delivery that a result settled later (`confirm`) was not known to be in Clay when the lead was sent again.
    Check("once", "A lead is recorded once as accepted by a Clay table, unless it was pushed again on purpose.", """
        SELECT contributor_id AS id FROM (
            SELECT delivery.contributor_id, job.push_again,
                   row_number() OVER (PARTITION BY delivery.org_id, delivery.contributor_id, delivery.destination_id,
                                                   delivery.table_epoch
                                      ORDER BY delivery.seq) AS number
            FROM clay.clay_push_log AS delivery JOIN clay.push_jobs AS job ON job.id = delivery.job_id
            WHERE delivery.status = 'success' AND delivery.pushed_at IS DISTINCT FROM delivery.confirmed_at) AS taken
        WHERE number > 1 AND NOT push_again"""),
    Check("confirmed", "A delivery that Clay has confirmed is a success.", """
        SELECT id FROM clay.clay_push_log
        WHERE confirmed_at < now() - CAST(:patience AS interval) AND status <> 'success'
          AND (state <> 'sending' OR lease_until < now() - CAST(:patience AS interval))"""),
    # `fuel_used`: entries of releases before 0014, which an append-only audit log keeps.
    # A delivery recorded within a minute of a manual setting may precede or follow it.
    Check("quota", "A webhook's meter counts at least what all its versions sent to it since it was set by hand.", """
        SELECT meter.id FROM clay.quota_meters AS meter
        LEFT JOIN LATERAL (
            SELECT change.at, CAST(coalesce(change.details ->> 'quota_used', change.details ->> 'fuel_used') AS bigint) AS used FROM clay.audit_log AS change
            WHERE change.org_id = meter.org_id AND change.action = 'config.changed' AND change.details ?| array['quota_used', 'fuel_used']
              AND meter.id = (SELECT version.meter_id FROM clay.destination_versions AS version
                              WHERE version.org_id = change.org_id AND version.created_at <= change.at
                                AND CAST(version.destination_id AS text) = coalesce(change.details ->> 'destination_id', (
                                        SELECT CAST(first.id AS text) FROM clay.destinations AS first
                                        WHERE first.org_id = change.org_id ORDER BY first.created_at, first.id LIMIT 1))
                              ORDER BY version.number DESC LIMIT 1)
            ORDER BY change.id DESC LIMIT 1) AS manual ON true
        JOIN LATERAL (
            SELECT count(*) AS posts
            FROM clay.destination_versions AS version
            JOIN clay.push_jobs AS job ON job.destination_version_id = version.id
            JOIN clay.clay_push_log AS delivery ON delivery.job_id = job.id
            WHERE version.org_id = meter.org_id AND version.meter_id = meter.id
              AND (delivery.status = 'success' OR delivery.cause = 'unknown' AND delivery.status = 'failed')
              AND (manual.at IS NULL OR delivery.finished_at > manual.at + interval '1 minute')) AS sent ON true
        WHERE meter.used < coalesce(manual.used, 0) + sent.posts"""),
    Check("one_meter", "All versions of a webhook count on one meter.", """
        SELECT min(id::text) AS id FROM clay.destination_versions WHERE url_fingerprint IS NOT NULL
        GROUP BY org_id, url_fingerprint HAVING count(DISTINCT meter_id) > 1"""),
    Check("clay_table", "A delivery has the destination and the Clay table of its push job.", """
        SELECT delivery.id FROM clay.clay_push_log AS delivery JOIN clay.push_jobs AS job ON job.id = delivery.job_id
        WHERE delivery.table_epoch <> job.table_epoch OR delivery.destination_id <> job.destination_id"""),
    # `route_id` has no foreign key: it outlives the route.
    Check("routes", "The route of a delivery, if it still exists, belongs to the same organization.", """
        SELECT delivery.id FROM clay.clay_push_log AS delivery JOIN clay.routes AS route ON route.id = delivery.route_id
        WHERE route.org_id <> delivery.org_id"""),
    # A push that was accepted after the exclusion skips the lead. A queued delivery of before it was skipped when it was added.
    Check("excluded", "No lead is queued that an exclusion named when its push was accepted.", """
        SELECT delivery.id FROM clay.clay_push_log AS delivery
        JOIN clay.push_jobs AS job ON job.org_id = delivery.org_id AND job.id = delivery.job_id
        JOIN clay.exclusions AS exclusion
          ON exclusion.org_id = delivery.org_id AND exclusion.lead_id = delivery.contributor_id
        WHERE delivery.state = 'waiting' AND exclusion.created_at < job.created_at"""),
    Check("poison", "A lead that has lost too many claims is not sent again.", f"""
        SELECT id FROM clay.clay_push_log WHERE state <> 'done' AND lost_claims >= {LOST_CLAIMS_TO_POISON}"""),
    Check("leases", "An expired lease is swept.", """
        SELECT id FROM clay.clay_push_log
        WHERE state IN ('claimed', 'sending') AND lease_until < now() - CAST(:patience AS interval)"""),
    Check("wake_ups", "A push job with due deliveries has a running slice, a wake-up, or a worker that serves it.", f"""
        SELECT job.id FROM clay.push_jobs AS job
        WHERE job.status IN ('pending', 'running')
          AND coalesce(job.drained_at, job.created_at) < now() - CAST(:patience AS interval)
          AND EXISTS (SELECT 1 FROM clay.clay_push_log WHERE job_id = job.id AND state = 'waiting'
                      AND due_at < now() - CAST(:patience AS interval))
          AND NOT EXISTS (SELECT 1 FROM clay.procrastinate_jobs WHERE status = 'todo' AND task_name = '{queue.DRAIN}'
                          AND args ->> 'job_id' = job.id::text)
          AND NOT {WAITS_FOR_ITS_TURN}"""),
    Check("enrichment_counters", "An enrichment job's counters and costs match its items.", """
        SELECT job.id FROM clay.enrichment_jobs AS job
        LEFT JOIN (SELECT job_id, count(*) AS leads, count(*) FILTER (WHERE outcome = 'found') AS found,
                          count(*) FILTER (WHERE outcome = 'partial') AS partial,
                          count(*) FILTER (WHERE outcome = 'nothing') AS nothing,
                          count(*) FILTER (WHERE outcome = 'failed') AS failed,
                          count(*) FILTER (WHERE outcome = 'expired') AS expired,
                          count(*) FILTER (WHERE outcome = 'skipped') AS skipped,
                          count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled,
                          sum(credits) AS credits, sum(actions) AS actions
                   FROM clay.enrichment_items GROUP BY job_id) AS row ON row.job_id = job.id
        WHERE (job.lead_count, job.found_count, job.partial_count, job.nothing_count, job.failed_count, job.expired_count,
               job.skipped_count, job.cancelled_count, job.credits, job.actions)
              IS DISTINCT FROM (row.leads, row.found, row.partial, row.nothing, row.failed, row.expired, row.skipped,
                                row.cancelled, row.credits, row.actions)"""),
    Check("enrichment_jobs", "An enrichment job is finished exactly if it has no live item.", """
        SELECT job.id FROM clay.enrichment_jobs AS job
        WHERE (job.finished_at IS NULL) <> EXISTS (
            SELECT 1 FROM clay.enrichment_items AS item WHERE item.job_id = job.id AND item.state <> 'done')"""),
    Check("one_live_item", "A lead has at most one live enrichment item.", """
        SELECT lead_id AS id FROM clay.enrichment_items WHERE state <> 'done'
        GROUP BY org_id, lead_id HAVING count(*) > 1"""),
    Check("enrichment_runs", "A live item of a run is in the state that belongs to the run's.", """
        SELECT item.id FROM clay.enrichment_items AS item
        JOIN clay.enrichment_runs AS run ON run.org_id = item.org_id AND run.id = item.run_id
        WHERE item.state <> 'done' AND (run.state, item.state)
              NOT IN (('starting', 'starting'), ('held', 'held'), ('running', 'requested'))"""),
    Check("routine_values", "A value of a routine belongs to an item that has ended with a result.", """
        SELECT value.id FROM clay.enriched_values AS value
        WHERE value.source = 'routine' AND value.result_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM clay.enrichment_items AS item
            WHERE item.org_id = value.org_id AND item.id = value.result_id
              AND item.outcome IN ('found', 'partial', 'nothing'))"""),
    Check("mapping_versions", "The versions of a mapping are numbered without a gap, from 1.", """
        SELECT mapping.id FROM clay.mappings AS mapping
        LEFT JOIN clay.mapping_versions AS version
          ON version.org_id = mapping.org_id AND version.mapping_id = mapping.id
        GROUP BY mapping.id HAVING count(version.id) <> coalesce(max(version.number), -1)"""),
    Check("mapping_in_use", "No destination uses an archived mapping.", """
        SELECT destination.id FROM clay.destinations AS destination
        JOIN clay.mapping_versions AS version
          ON version.org_id = destination.org_id AND version.id = destination.mapping_version_id
        JOIN clay.mappings AS mapping ON mapping.org_id = version.org_id AND mapping.id = version.mapping_id
        WHERE mapping.archived_at IS NOT NULL"""),
    Check("retried_mapping", "A retry sends the version of the mapping that the retried push job was to send.", """
        SELECT job.id FROM clay.push_jobs AS job
        JOIN clay.push_jobs AS retried ON retried.org_id = job.org_id AND retried.id = job.retry_of
        WHERE job.mapping_version_id IS DISTINCT FROM retried.mapping_version_id"""),
    Check("enrichment_overdue", "An overdue start is held, and an overdue item ends.", """
        SELECT id FROM clay.enrichment_runs
        WHERE state = 'starting' AND lease_until < now() - CAST(:patience AS interval)
        UNION ALL
        SELECT id FROM clay.enrichment_items
        WHERE state IN ('held', 'requested') AND deadline_at < now() - CAST(:patience AS interval)"""),
    # Two runs for one due time are impossible: the primary key forbids them.
    Check("schedule_jobs", "A queued run of a schedule has its push jobs, and counts no more leads than they have.", """
        SELECT run.schedule_id AS id FROM clay.schedule_runs AS run
        LEFT JOIN LATERAL (SELECT count(*) AS jobs, coalesce(sum(job.lead_count), 0) AS leads FROM clay.push_jobs AS job
                           WHERE job.org_id = run.org_id AND job.id = ANY(run.job_ids)) AS queued ON true
        WHERE run.outcome = 'queued' AND (queued.jobs <> cardinality(run.job_ids) OR run.lead_count > queued.leads)"""),
    Check("schedules_due", "A schedule that is due is started.", """
        SELECT id FROM clay.schedules WHERE next_run_at < now() - CAST(:patience AS interval)"""),
)  # fmt: skip


class _BrokenRow(NamedTuple):
    broken: int
    """The number of all rows that violate the check."""
    id: str


async def verify(connection: AsyncConnection, patience: timedelta) -> list[Violation]:
    """Run every check. `patience`: the time of several sweeps, in which another worker takes over a lost worker's leads.

    Call it in a new transaction: it makes it read-only with one snapshot, so that nothing changes between two checks.
    """
    await READ_ONLY.execute(connection)
    await NO_TIMEOUT.execute(connection)
    found = []
    for check in CHECKS:
        sql = f"SELECT count(*) OVER () AS broken, id::text AS id FROM ({check.breaks}) AS found LIMIT {SAMPLE}"
        rows = await Statement(sql, _BrokenRow).rows(connection, {"patience": patience})
        if rows:
            found.append(Violation(check, rows[0].broken, tuple(row.id for row in rows)))
    return found
