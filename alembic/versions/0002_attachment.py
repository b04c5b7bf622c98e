"""Adds the tables of `clay-push attach`: its level, the host row that shows each push job, and pushes that the host queued."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE clay.attachment (
    only_one    boolean NOT NULL DEFAULT true,
    level       text NOT NULL,
    host_schema text NOT NULL,
    attached_by text NOT NULL,
    attached_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT attachment_pk PRIMARY KEY (only_one),
    CONSTRAINT attachment_only_one CHECK (only_one),
    CONSTRAINT attachment_level CHECK (level IN ('read', 'mirror', 'inbox'))
);
COMMENT ON TABLE clay.attachment IS 'How closely we are attached to NexusLeads; no row: not at all';

CREATE TABLE clay.mirror (
    job_id         uuid NOT NULL,
    host_job_id    uuid NOT NULL,
    settled_at     timestamptz,
    marked_seq     bigint NOT NULL DEFAULT 0,
    marked_count   integer NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mirror_pk PRIMARY KEY (job_id),
    CONSTRAINT mirror_host_job UNIQUE (host_job_id),
    CONSTRAINT mirror_job_fk FOREIGN KEY (job_id) REFERENCES clay.push_jobs (id) ON DELETE CASCADE
);
CREATE INDEX mirror_unsettled ON clay.mirror (job_id) WHERE settled_at IS NULL;
CREATE INDEX mirror_by_end ON clay.mirror (settled_at);
COMMENT ON TABLE clay.mirror IS 'Which row of the host''s sourcing_jobs shows which push job';
COMMENT ON COLUMN clay.mirror.settled_at IS 'When the job''s end was written there; null: there is more to write';
COMMENT ON COLUMN clay.mirror.marked_seq IS 'Deliveries up to this one have ended, and their successes are marked there';
COMMENT ON COLUMN clay.mirror.marked_count IS 'The job''s successes when all of them were last marked';

CREATE TABLE clay.inbox (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    host_job_id   uuid NOT NULL,
    project_id    uuid,
    created_by    uuid,
    push_mode     text,
    metadata      jsonb NOT NULL DEFAULT '{}',
    taken_at      timestamptz NOT NULL DEFAULT now(),
    attempts      integer NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    done_at       timestamptz,
    end_status    text,
    end_message   text,
    written_at    timestamptz,
    CONSTRAINT inbox_pk PRIMARY KEY (id),
    CONSTRAINT inbox_host_job UNIQUE (host_job_id),
    CONSTRAINT inbox_end_status CHECK (end_status IN ('completed', 'failed', 'cancelled')),
    CONSTRAINT inbox_ended CHECK (end_status IS NULL OR done_at IS NOT NULL)
);
CREATE INDEX inbox_waiting ON clay.inbox (due_at) WHERE done_at IS NULL;
CREATE INDEX inbox_unwritten ON clay.inbox (id) WHERE end_status IS NOT NULL AND written_at IS NULL;
COMMENT ON TABLE clay.inbox IS 'Pushes that the host queued itself, taken by our trigger; never with a webhook URL';
COMMENT ON COLUMN clay.inbox.end_status IS 'How the host''s row ends where no push job shows in it';

CREATE INDEX push_jobs_by_age ON clay.push_jobs (created_at);
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(TABLES)
    cursor.close()


def downgrade() -> None:
    raise NotImplementedError("Run `clay-push detach`; these tables do no harm.")
