"""Schedules push the leads of a segment; a run records its outcome for each Clay table; auto-export makes several push jobs for one scan.

Adds nullable columns and an outcome of auto-export, and replaces a unique index, which stopped a scan whose leads routes divide. The
release before knows no segments: it refuses the stored filters of such a schedule instead of pushing every lead of the project, and
a worker of this release runs it. The index is built concurrently. A run that was interrupted can be repeated.
"""

from alembic import op

revision = "0036"
down_revision = "0035"

COLUMNS = """
ALTER TABLE clay.schedules ADD COLUMN IF NOT EXISTS segment_id uuid;
ALTER TABLE clay.schedules DROP CONSTRAINT IF EXISTS schedules_segment_fk, DROP CONSTRAINT IF EXISTS schedules_segment;
ALTER TABLE clay.schedules
    ADD CONSTRAINT schedules_segment_fk FOREIGN KEY (segment_id, org_id) REFERENCES clay.segments (id, org_id),
    ADD CONSTRAINT schedules_segment CHECK ((segment_id IS NOT NULL) = jsonb_exists(filters, 'segment'));
CREATE INDEX IF NOT EXISTS schedules_of_segment ON clay.schedules (segment_id, org_id) WHERE segment_id IS NOT NULL;
COMMENT ON COLUMN clay.schedules.segment_id IS 'The segment whose leads are pushed, with its filters at the time of a run; null: filters decides';

ALTER TABLE clay.schedule_runs ADD COLUMN IF NOT EXISTS destinations jsonb;
COMMENT ON COLUMN clay.schedule_runs.destinations IS 'The outcome for each Clay table that routes chose; null: routes did not decide';

ALTER TABLE clay.auto_export_runs
    DROP CONSTRAINT IF EXISTS auto_export_runs_outcome,
    ADD CONSTRAINT auto_export_runs_outcome CHECK (outcome IN ('running', 'queued', 'nothing_new', 'off', 'enterprise_required',
        'clay_not_configured', 'destination_closed', 'results_missing', 'quota_exhausted')) NOT VALID;
ALTER TABLE clay.auto_export_runs VALIDATE CONSTRAINT auto_export_runs_outcome;
"""
INDEX = """
CREATE UNIQUE INDEX CONCURRENTLY push_jobs_one_auto_export_per_table ON clay.push_jobs (org_id, source_job_id, destination_id)
WHERE push_mode = 'auto' AND source_job_id IS NOT NULL
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        cursor = op.get_bind().connection.driver_connection.cursor()
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone()
        # While an ALTER TABLE waits for its lock, all later statements on the table wait behind it.
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(COLUMNS)
        # A concurrent build blocks no statement, but it waits for transactions that are older than itself.
        cursor.execute("SET lock_timeout = 0")
        # Left invalid by an interrupted run.
        cursor.execute("DROP INDEX CONCURRENTLY IF EXISTS clay.push_jobs_one_auto_export_per_table")
        cursor.execute(INDEX)
        cursor.execute("DROP INDEX CONCURRENTLY IF EXISTS clay.push_jobs_one_auto_export_per_scan")
        cursor.execute(f"SET lock_timeout = '{before}'")
        cursor.close()


def downgrade() -> None:
    """Keeps each push job: of the jobs of a scan, the first keeps the scan's id. Schedules of segments are deleted."""
    op.execute("""
UPDATE clay.push_jobs AS job SET source_job_id = NULL
FROM (SELECT id, row_number() OVER (PARTITION BY org_id, source_job_id ORDER BY created_at, id) AS number
      FROM clay.push_jobs WHERE push_mode = 'auto' AND source_job_id IS NOT NULL) AS of_scan
WHERE job.id = of_scan.id AND of_scan.number > 1;
CREATE UNIQUE INDEX push_jobs_one_auto_export_per_scan ON clay.push_jobs (org_id, source_job_id)
WHERE push_mode = 'auto' AND source_job_id IS NOT NULL;
DROP INDEX clay.push_jobs_one_auto_export_per_table;
ALTER TABLE clay.auto_export_runs DROP CONSTRAINT auto_export_runs_outcome;
UPDATE clay.auto_export_runs SET outcome = 'destination_closed' WHERE outcome = 'quota_exhausted';
ALTER TABLE clay.auto_export_runs ADD CONSTRAINT auto_export_runs_outcome CHECK (outcome IN ('running', 'queued', 'nothing_new', 'off',
    'enterprise_required', 'clay_not_configured', 'destination_closed', 'results_missing'));
ALTER TABLE clay.schedule_runs DROP COLUMN destinations;
DELETE FROM clay.schedules WHERE segment_id IS NOT NULL;
ALTER TABLE clay.schedules DROP CONSTRAINT schedules_segment, DROP COLUMN segment_id;
""")
