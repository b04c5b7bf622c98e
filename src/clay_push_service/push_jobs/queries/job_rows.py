"""SQL that reads push jobs, with the record that it returns."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Statement


class JobRow(NamedTuple):
    id: UUID
    project_id: UUID
    project_name: str | None
    destination_id: UUID
    destination_name: str
    table_name: str | None
    mapping_id: UUID | None
    """Null, as the three fields below, for the standard payload."""
    mapping_name: str | None
    mapping_number: int | None
    mapping_version_id: UUID | None
    push_mode: str
    retry_of: UUID | None
    created_by: str | None
    status: str
    lead_count: int
    success_count: int
    failed_count: int
    skipped_count: int
    unknown_count: int
    page_count: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    drained_at: datetime | None
    destination_state: str
    state_reason: str | None
    probe_at: datetime | None
    served_until: datetime | None
    next_slot_at: datetime
    rate_limit_ms: int
    throttled_ms: float | None
    throttled_at: datetime | None
    recovery_ms: float | None
    now: datetime
    window_since: datetime | None
    last_window_since: datetime | None
    last_window_count: int | None
    worker_seen_at: datetime | None
    due_at: datetime | None
    cause_counts: str | None


READ = """
SELECT job.id, job.project_id, job.project_name, job.destination_id, destination.name AS destination_name, job.table_name,
       mapping.id AS mapping_id, mapping.name AS mapping_name, mapping_version.number AS mapping_number, job.mapping_version_id,
       job.push_mode, job.retry_of, job.created_by, job.status,
       job.lead_count, job.success_count, job.failed_count, job.skipped_count, job.unknown_count, job.page_count,
       job.created_at, job.started_at, job.finished_at, job.drained_at,
       version.state AS destination_state, version.state_reason, version.probe_at,
       workspace.served_until, workspace.next_slot_at, workspace.rate_limit_ms, workspace.throttled_ms, workspace.throttled_at,
       workspace.recovery_ms,
       clock_timestamp() AS now,
       job.window_since, job.last_window_since, job.last_window_count,
       (SELECT max(seen_at) FROM clay.workers) AS worker_seen_at,
       CASE WHEN job.status IN ('pending', 'running')
            THEN (SELECT min(due_at) FROM clay.clay_push_log WHERE job_id = job.id AND state = 'waiting') END AS due_at,
       CAST(job.cause_counts AS text) AS cause_counts
FROM clay.push_jobs AS job
JOIN clay.destination_versions AS version ON version.org_id = job.org_id AND version.id = job.destination_version_id
JOIN clay.destinations AS destination ON destination.org_id = job.org_id AND destination.id = job.destination_id
JOIN clay.workspaces AS workspace ON workspace.org_id = job.org_id AND workspace.id = destination.workspace_id
LEFT JOIN clay.mapping_versions AS mapping_version
       ON mapping_version.org_id = job.org_id AND mapping_version.id = job.mapping_version_id
LEFT JOIN clay.mappings AS mapping ON mapping.org_id = job.org_id AND mapping.id = mapping_version.mapping_id
WHERE job.org_id = :org_id
"""
READ_ONE = Statement(f"{READ} AND job.id = :job_id", JobRow)
READ_PAGE = Statement(
    f"""{READ} AND (CAST(:before AS timestamptz) IS NULL OR (job.created_at, job.id) < (:before, :before_id))
  AND (CAST(:project_id AS uuid) IS NULL OR job.project_id = :project_id)
  AND (CAST(:status AS text) IS NULL OR job.status = :status)
ORDER BY job.created_at DESC, job.id DESC LIMIT :limit""",
    JobRow,
)
