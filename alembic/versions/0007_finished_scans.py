"""Adds the queue of finished scans: a trigger on the host's table adds a row, and a worker runs the project's auto-export rule."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = """
CREATE TABLE clay.finished_scans (
    source_job_id uuid NOT NULL,
    project_id    uuid NOT NULL,
    created_by    uuid,
    finished_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts      integer NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    done_at       timestamptz,
    CONSTRAINT finished_scans_pk PRIMARY KEY (source_job_id)
);
CREATE INDEX finished_scans_waiting ON clay.finished_scans (due_at) WHERE done_at IS NULL;
CREATE INDEX finished_scans_of_project ON clay.finished_scans (project_id, finished_at);
COMMENT ON TABLE clay.finished_scans IS 'Scans that the host completed while we were attached at level inbox; each runs the rule once';
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(STATEMENTS)
    cursor.close()


def downgrade() -> None:
    op.execute("DROP TABLE clay.finished_scans")
