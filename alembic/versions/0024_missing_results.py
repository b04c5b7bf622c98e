"""A destination whose results stopped: two columns, one index, and an outcome of auto-export runs. Runs beside the release before.

The index is built concurrently. A run that was interrupted can be repeated.
"""

from alembic import op

revision = "0024"
down_revision = "0023"

COLUMNS = """
ALTER TABLE clay.destinations
    ADD COLUMN IF NOT EXISTS suspect_since timestamptz,
    ADD COLUMN IF NOT EXISTS results_checked_at timestamptz;
COMMENT ON COLUMN clay.destinations.suspect_since IS 'Since when results that Clay owes are missing; null: none are known to be';
COMMENT ON COLUMN clay.destinations.results_checked_at IS 'When a person last pushed the leads without a result again: earlier deliveries are not missing';

ALTER TABLE clay.auto_export_runs
    DROP CONSTRAINT auto_export_runs_outcome,
    ADD CONSTRAINT auto_export_runs_outcome CHECK (outcome IN ('running', 'queued', 'nothing_new', 'off', 'enterprise_required',
        'clay_not_configured', 'destination_closed', 'results_missing'));
"""
INDEX = """
CREATE INDEX CONCURRENTLY clay_push_log_confirmed ON clay.clay_push_log (org_id, destination_id, table_epoch, finished_at)
WHERE confirmed_at IS NOT NULL
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
        cursor.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS clay.clay_push_log_confirmed"
        )  # left invalid by an interrupted run
        cursor.execute(INDEX)
        cursor.execute(f"SET lock_timeout = '{before}'")
        cursor.close()


def downgrade() -> None:
    op.execute("DROP INDEX clay.clay_push_log_confirmed")
    op.execute("ALTER TABLE clay.destinations DROP COLUMN suspect_since, DROP COLUMN results_checked_at")
