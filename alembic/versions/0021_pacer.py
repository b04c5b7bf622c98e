"""Adds the lease of a workspace and the turn of a push job, for the pacer; runs beside web and worker processes of the release before.

A process of the release before ignores the new columns: its push jobs get a turn by the column's default.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

COLUMNS = """
ALTER TABLE clay.workspaces
    ADD COLUMN IF NOT EXISTS served_by uuid,
    ADD COLUMN IF NOT EXISTS served_until timestamptz,
    ADD COLUMN IF NOT EXISTS woken_at timestamptz;
COMMENT ON COLUMN clay.workspaces.served_by IS 'The worker that serves the workspace: it claims and sends the leads of its destinations';
COMMENT ON COLUMN clay.workspaces.served_until IS 'When the lease of served_by ends; another worker may take the workspace then';
COMMENT ON COLUMN clay.workspaces.woken_at IS 'The last wake-up of a push job of the workspace: it is not released before its worker has claimed again';
ALTER TABLE clay.workers ADD COLUMN IF NOT EXISTS serves_workspaces boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN clay.workers.serves_workspaces IS 'False: a worker of a release before 0021, which adopts no workspace';
ALTER TABLE clay.push_jobs ADD COLUMN IF NOT EXISTS turn_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN clay.push_jobs.turn_at IS 'The last claim of its leads at the pace, at first its creation; the job with the oldest turn is claimed first';
"""
# served_until is in no index: each renewal would add an entry. Few rows are served, so their index is short.
INDEXES = (
    ("workspaces_served", "clay.workspaces (served_by) WHERE served_by IS NOT NULL"),
    ("push_jobs_turns", "clay.push_jobs (destination_id, turn_at) WHERE status = 'running'"),
    ("clay_push_log_suspects", "clay.clay_push_log (job_id, seq) WHERE state = 'waiting' AND lost_claims > 0"),
)  # fmt: skip


def upgrade() -> None:
    with op.get_context().autocommit_block():
        cursor = op.get_bind().connection.driver_connection.cursor()
        cursor.execute(COLUMNS)
        # A concurrent build blocks no statement, but it waits for transactions that are older than itself.
        cursor.execute("SET lock_timeout = 0")
        for name, on in INDEXES:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS clay.{name}")  # left invalid by an interrupted run
            cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {on}")
        cursor.execute("RESET lock_timeout")
        cursor.close()


def downgrade() -> None:
    for name, _ in INDEXES:
        op.execute(f"DROP INDEX clay.{name}")
    op.execute("ALTER TABLE clay.workers DROP COLUMN serves_workspaces")
    op.execute("ALTER TABLE clay.push_jobs DROP COLUMN turn_at")
    op.execute("ALTER TABLE clay.workspaces DROP COLUMN served_by, DROP COLUMN served_until, DROP COLUMN woken_at")
