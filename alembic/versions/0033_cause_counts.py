"""Failed and skipped leads of a push job by cause, in the job's row: no page counts deliveries.

Adds a nullable column; runs beside the release before. Jobs that a worker of that release drains have incomplete counts, which
the new release recognizes: their sums differ from the job's counters.
"""

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.execute("ALTER TABLE clay.push_jobs ADD COLUMN cause_counts jsonb")
    op.execute(
        "COMMENT ON COLUMN clay.push_jobs.cause_counts IS 'Failed and skipped leads by status, cause and whether Clay may have them'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE clay.push_jobs DROP COLUMN cause_counts")
