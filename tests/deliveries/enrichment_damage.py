"""Statements that damage enrichment rows as a bug could, by the name of the check that must find the damage."""

from collections.abc import Mapping

ONE = "00000000-0000-4000-8000-000000000001"
JOB = (
    "INSERT INTO clay.enrichment_jobs (id, org_id, kind, way, mode, legal_basis, again, lead_count, credits_low, actions_low,"
    f" created_by, status, finished_at) VALUES ('{ONE}', '{ONE}', 'email', 'routine', 'one', 'consent', false, 1, 0, 0, 'x',"
)
LIVE_JOB, ENDED_JOB = f"{JOB} 'pending', NULL)", f"{JOB} 'completed', now())"
RUN = (
    "INSERT INTO clay.enrichment_runs (id, org_id, kind, routine_id, outputs, expires_at, state, claim_token, lease_until,"
    f" finished_at) VALUES ('{ONE}', '{ONE}', 'email', 'r', '{{}}', now(),"
)
ITEM = (
    "INSERT INTO clay.enrichment_items (id, org_id, job_id, lead_id, project_id, kind, way, state, run_id, deadline_at)"
    f" VALUES (gen_random_uuid(), '{ONE}', '{ONE}', '{ONE}', '{ONE}', 'email', 'routine',"
)
QUEUED, REQUESTED = f"{ITEM} 'queued', NULL, NULL)", f"{ITEM} 'requested', '{ONE}', now() + interval '1 day')"
VALUE = (
    "INSERT INTO clay.enriched_values (org_id, lead_id, field, source, confidence_basis, observed_at, received_at, result_id)"
    f" VALUES ('{ONE}', '{ONE}', 'email', 'routine', 'none', now(), now(), '{ONE}')"
)
ENRICHMENT_DAMAGE: Mapping[str, tuple[str, ...]] = {
    "enrichment_counters": (ENDED_JOB,),
    "enrichment_jobs": (LIVE_JOB,),
    "one_live_item": ("DROP INDEX clay.enrichment_items_one_live", LIVE_JOB, QUEUED, QUEUED),
    "enrichment_runs": (LIVE_JOB, f"{RUN} 'ended', NULL, NULL, now())", REQUESTED),
    "routine_values": (VALUE,),
    "enrichment_overdue": (f"{RUN} 'starting', '{ONE}', now() - interval '1 minute', NULL)",),
}
