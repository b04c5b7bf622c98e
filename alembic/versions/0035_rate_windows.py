"""Two marks of a push job's progress, at least 10 s apart, from which its rate is computed: no page counts deliveries.

Adds nullable columns; runs beside the release before. A job that a worker of that release drains has no marks, so its page shows
no rate.
"""

from alembic import op

revision = "0035"
down_revision = "0034"

COLUMNS = """
ALTER TABLE clay.push_jobs
    ADD COLUMN window_since timestamptz, ADD COLUMN window_count integer,
    ADD COLUMN last_window_since timestamptz, ADD COLUMN last_window_count integer;
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(
        "COMMENT ON COLUMN clay.push_jobs.window_since IS 'Start of the current window of 10 s; window_count: leads with an outcome then'"
    )
    op.execute(
        "COMMENT ON COLUMN clay.push_jobs.last_window_since IS 'Start of the window before, from which the rate is measured'"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE clay.push_jobs DROP COLUMN window_since, DROP COLUMN window_count, DROP COLUMN last_window_since,"
        " DROP COLUMN last_window_count"
    )
