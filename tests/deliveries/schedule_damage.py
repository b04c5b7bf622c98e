"""Statements that damage rows of schedules as a bug could, by the check of `verify` that finds it."""

SCHEDULE = """
INSERT INTO clay.schedules (id, org_id, project_id, name, kind, spec, time_zone, next_due_at, next_run_at, tzdata_version, created_by,
                            updated_by)
SELECT gen_random_uuid(), org_id, project_id, 'Morning', 'daily', '{"at"\\: "09\\:00"}', 'UTC', now() + due, now() + due, '2026f', 'x', 'x'
FROM clay.push_jobs, (VALUES (interval 'OFFSET')) AS time (due) LIMIT 1
"""
RUN = """
INSERT INTO clay.schedule_runs (org_id, schedule_id, due_at, started_by, outcome, message, job_ids, lead_count)
SELECT org_id, id, now(), 'time', 'queued', '', ARRAY[JOB], LEADS FROM clay.schedules
"""
LATER = SCHEDULE.replace("OFFSET", "1 day")
SCHEDULE_DAMAGE: dict[str, tuple[str, ...]] = {
    "schedule_jobs": (LATER, RUN.replace("JOB", "gen_random_uuid()").replace("LEADS", "1")),
    "schedules_due": (SCHEDULE.replace("OFFSET", "-1 day"),),
}
