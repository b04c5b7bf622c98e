"""Fills an organization for the benchmark of the console's pages: push jobs, enrichment jobs, exclusions and settings."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from tests.harness.installation import Installation
from tests.support.destination_rows import add_second_destination, add_version

from bench.stage import Organization

DELIVERIES = 50_000
ENRICHMENT_JOBS = 400
"""Of 50 leads each, the most that a job has: together all leads."""
CONFIRMED = 1_000
"""Of the deliveries; the results of the later ones are missing."""
EXCLUSIONS = 2_000
EARLIER_JOBS = 200
# The causes are counted in the job's row, as they are by every transaction that ends deliveries.
JOB = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, status, lead_count,
    success_count, failed_count, skipped_count, unknown_count, cause_counts, created_at, started_at, finished_at)
SELECT coalesce(CAST(:job_id AS uuid), gen_random_uuid()), :org_id, :project_id, destination.id, version.id, destination.table_epoch,
       'selected', CAST(:status AS text), :leads, part.success, 2 * part.size, part.size, part.size,
       jsonb_build_object('failed rejected sure', part.size, 'failed unknown unsure', part.size,
                          'skipped already_in_clay sure', part.size),
       now() - hours * interval '1 hour', now() - hours * interval '1 hour', CASE WHEN :status = 'completed' THEN now() END
FROM generate_series(1, CAST(:jobs AS integer)) AS hours
CROSS JOIN (SELECT CAST(:done AS integer) / 20 AS size, CAST(:done AS integer) - 3 * (CAST(:done AS integer) / 20) AS success) AS part
CROSS JOIN clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.id = destination.version_id
WHERE destination.org_id = :org_id AND destination.is_default
"""
DELIVERY_ROWS = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, username, full_name, status,
    state, cause, error_message, clay_response_status, attempts, payload_hash, pushed_at, finished_at, confirmed_at)
SELECT job.org_id, job.id, coalesce((CAST(:lead_ids AS uuid[]))[n], md5(job.id::text || n)::uuid), job.project_id,
       job.destination_id, job.table_epoch, 'lead-' || n,
       'Lead Number ' || n, kind.status, 'done', kind.cause, kind.cause, 200, 1, sha256(n::text::bytea),
       CASE WHEN kind.status = 'success' THEN job.started_at END, job.started_at + n * interval '1 millisecond',
       CASE WHEN kind.status = 'success' AND n <= CAST(:confirmed AS integer) THEN job.started_at + interval '2 minutes' END
FROM clay.push_jobs AS job, generate_series(1, CAST(:leads AS integer)) AS n,
     LATERAL (SELECT CASE n % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'failed' WHEN 2 THEN 'skipped' ELSE 'success' END AS status,
                     CASE n % 20 WHEN 0 THEN 'rejected' WHEN 1 THEN 'unknown' WHEN 2 THEN 'already_in_clay' END AS cause) AS kind
WHERE job.id = :job_id
"""
WAITING_ROWS = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, username, full_name, status, state)
SELECT job.org_id, job.id, md5(job.id::text || n)::uuid, job.project_id, job.destination_id, job.table_epoch, 'lead-' || n,
       'Lead Number ' || n, 'pending', 'waiting'
FROM clay.push_jobs AS job, generate_series(CAST(:done AS integer) + 1, CAST(:leads AS integer)) AS n WHERE job.id = :job_id
"""
ENRICHMENTS = """
WITH leads AS (
    SELECT lead_id, number, (number - 1) / 50 AS job FROM unnest(CAST(:lead_ids AS uuid[])) WITH ORDINALITY AS given (lead_id, number)
    WHERE number <= :jobs * 50
), jobs AS (
    INSERT INTO clay.enrichment_jobs (id, org_id, project_id, kind, way, mode, legal_basis, again, status, lead_count, found_count,
        partial_count, nothing_count, failed_count, credits_low, credits_high, actions_low, actions_high, credits, actions,
        created_by, created_at, started_at, finished_at)
    SELECT md5('enrichment' || job)::uuid, :org_id, :project_id, 'full', 'routine', 'batch', 'consent', false, 'completed', count(*),
           count(*) FILTER (WHERE number % 5 < 2), count(*) FILTER (WHERE number % 5 = 2), count(*) FILTER (WHERE number % 5 = 3),
           count(*) FILTER (WHERE number % 5 = 4), 50, 100, 50, 50, 75, 50, 'user:bench', now() - job * interval '1 hour',
           now() - job * interval '1 hour', now() - job * interval '1 hour'
    FROM leads GROUP BY job
), items AS (
    INSERT INTO clay.enrichment_items (id, org_id, job_id, lead_id, project_id, kind, way, state, outcome, cause, found, not_found,
        credits, actions, cost_basis, started_at, finished_at)
    SELECT gen_random_uuid(), :org_id, md5('enrichment' || job)::uuid, lead_id, :project_id, 'full', 'routine', 'done',
           (ARRAY['found', 'found', 'partial', 'nothing', 'failed'])[number % 5 + 1],
           (ARRAY[NULL, NULL, NULL, 'no_data', 'item_failed'])[number % 5 + 1],
           CASE WHEN number % 5 < 3 THEN ARRAY['email', 'job_title', 'phone'] ELSE ARRAY[]::text[] END,
           CASE WHEN number % 5 > 1 THEN ARRAY['linkedin_url'] ELSE ARRAY[]::text[] END, 1.5, 1, 'estimated',
           now() - job * interval '1 hour', now() - job * interval '1 hour'
    FROM leads
), made AS (
    INSERT INTO clay.enriched_values (id, org_id, lead_id, field, value, value_key, source, confidence, confidence_basis, observed_at,
        received_at)
    SELECT md5(lead_id::text || field)::uuid, :org_id, lead_id, field, to_jsonb('value ' || number), 'value ' || number, 'routine',
           60 + number % 40, 'reported', now() - job * interval '1 hour', now() - job * interval '1 hour'
    FROM leads, unnest(ARRAY['email', 'job_title', 'phone']) AS field WHERE number % 5 < 3
    RETURNING org_id, lead_id, field, id)
INSERT INTO clay.enriched_current (org_id, lead_id, field, value_id, chosen_because)
SELECT org_id, lead_id, field, id, 'newest' FROM made
"""
EXCLUDED_LEADS = """
INSERT INTO clay.exclusions (id, org_id, kind, lead_id, reason, created_by)
SELECT gen_random_uuid(), :org_id, 'exclusion', lead_id, 'Competitor', 'user:bench' FROM unnest(CAST(:lead_ids AS uuid[])) AS lead_id
"""
FIRST_DELIVERY = "SELECT id FROM clay.clay_push_log WHERE job_id = :job_id ORDER BY seq LIMIT 1"
FIRST_ENRICHMENT = "SELECT id FROM clay.enrichment_jobs WHERE org_id = :org_id ORDER BY created_at DESC LIMIT 1"
ROUTINE = {"routine_id": "r", "inputs": {"Name": "full_name"}, "outputs": {"email": "Email", "job_title": "Title"}}


@dataclass(frozen=True, slots=True)
class Filled:
    """Ids of what the pages show."""

    job_id: UUID
    running_job_id: UUID
    """Half of its deliveries have ended."""
    delivery_id: UUID
    enrichment_job_id: UUID


@dataclass(frozen=True, slots=True)
class Saved:
    segment_id: str
    mapping_id: str
    schedule_id: str
    destination_id: str


async def fill(installation: Installation, organization: Organization) -> Filled:
    """Rows that the service itself would have written over weeks."""
    org_id, project_id, leads = organization.org_id, organization.project_id, organization.lead_ids
    job_id, running_id, of = uuid4(), uuid4(), {"org_id": org_id, "project_id": project_id}
    ended = {"jobs": 1, "leads": DELIVERIES, "done": DELIVERIES, "status": "completed"}
    await installation.fetch(JOB, **of, **ended, job_id=job_id)
    await installation.fetch(DELIVERY_ROWS, job_id=job_id, leads=DELIVERIES, lead_ids=leads, confirmed=CONFIRMED)
    await installation.fetch(JOB, **of, **ended | {"jobs": EARLIER_JOBS, "leads": 20, "done": 20}, job_id=None)
    done = DELIVERIES // 2
    await installation.fetch(JOB, **of, **ended | {"done": done, "status": "running"}, job_id=running_id)
    await installation.fetch(DELIVERY_ROWS, job_id=running_id, leads=done, lead_ids=[], confirmed=0)
    await installation.fetch(WAITING_ROWS, job_id=running_id, leads=DELIVERIES, done=done)
    await installation.fetch(ENRICHMENTS, **of, lead_ids=leads, jobs=ENRICHMENT_JOBS)
    await installation.fetch(EXCLUDED_LEADS, org_id=org_id, lead_ids=leads[-EXCLUSIONS:])
    async with installation.database.transaction() as connection:
        await add_version(connection, org_id, await add_second_destination(connection, org_id))
    [delivery] = await installation.fetch(FIRST_DELIVERY, job_id=job_id)
    [enrichment] = await installation.fetch(FIRST_ENRICHMENT, org_id=org_id)
    return Filled(job_id, running_id, delivery.id, enrichment.id)


async def save_settings(http: httpx.AsyncClient, key: str, organization: Organization) -> Saved:
    """Settings as a user saves them: a segment, a mapping, routes, a schedule, and rules of the project."""

    async def call(method: str, path: str, body: object = None) -> Any:
        answer = await http.request(method, f"/api/clay/{path}", json=body, headers={"Authorization": f"Bearer {key}"})
        if not answer.is_success:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        return answer.json()

    project_id = str(organization.project_id)
    segment = await call("POST", "segments", {"name": "Best", "filters": {"min_score": 50}})
    columns = [
        {"key": "mail", "field": "email", "type": "email"},
        {"key": "score", "field": "overall_score", "type": "number"},
    ]
    mapping = await call("POST", "mappings", {"name": "Outbound", "columns": columns})
    destinations = (await call("GET", "destinations"))["destinations"]
    second = next(each for each in destinations if not each["is_default"])
    listed = await call("GET", "routes")
    routes = [
        {"segment_id": segment["id"], "destination_id": second["id"]},
        {"segment_id": None, "destination_id": destinations[0]["id"]},
    ]
    await call("PUT", "routes", {"version": listed["version"], "routes": routes})
    daily = {"name": "Nightly", "project_id": project_id, "kind": "daily", "at": "02:30", "time_zone": "UTC"}
    schedule = await call("POST", "schedules", daily)
    budget = {"credits_per_day": 100, "actions_per_day": None}
    await call(
        "PUT",
        "enrichment/config",
        {"api_key": "clay_key_of_bench", "routines": {"full": ROUTINE, "email": ROUTINE}, "budget": budget},
    )
    await call("PUT", f"projects/{project_id}/auto-export", {"enabled": True, "min_score": 50})
    rule = {"enabled": True, "kind": "full", "basis": "consent", "min_score": 50}
    await call("PUT", f"projects/{project_id}/auto-enrich", rule)
    return Saved(segment["id"], mapping["id"], schedule["id"], second["id"])
