"""Whether a running worker sends push jobs with their mapping, so that no mapping is used while a worker of an earlier release runs.

Adds a column with a constant default, without a rewrite; runs beside the release before. The workers of that release insert rows
without the column: they count as workers that send every push job with the standard payload.
"""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.execute("ALTER TABLE clay.workers ADD COLUMN sends_mappings boolean NOT NULL DEFAULT false")
    op.execute(
        "COMMENT ON COLUMN clay.workers.sends_mappings IS"
        " 'False: a worker of a release before 0037, which may send each push job with the standard payload'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE clay.workers DROP COLUMN sends_mappings")
