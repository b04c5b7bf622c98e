"""Write-back: which values of Clay this service wrote into empty columns of NexusLeads, and which organizations have switched it on.

Adds two tables and a column; runs beside the release before.
"""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute("ALTER TABLE clay.attachment ADD COLUMN writes_enrichment boolean NOT NULL DEFAULT false")
    op.execute("""
CREATE TABLE clay.write_back (
    org_id     uuid NOT NULL,
    enabled    boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT write_back_pk PRIMARY KEY (org_id)
)""")
    op.execute(
        "COMMENT ON TABLE clay.write_back IS 'Whether an organization lets values of Clay fill empty columns of NexusLeads'"
    )
    op.execute("""
CREATE TABLE clay.host_writes (
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    org_id     uuid NOT NULL,
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    lead_id    uuid NOT NULL,
    field      text NOT NULL,
    value_id   uuid NOT NULL,
    value_key  text NOT NULL,
    value_hash bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    undone_at  timestamptz,
    undone_by  text,
    CONSTRAINT host_writes_pk PRIMARY KEY (id, org_id),
    CONSTRAINT host_writes_once UNIQUE (org_id, lead_id, field),
    CONSTRAINT host_writes_undone CHECK ((undone_at IS NULL) = (undone_by IS NULL))
)""")
    op.execute(
        "COMMENT ON TABLE clay.host_writes IS 'Each value of Clay that was written into an empty column of NexusLeads, once for each field of a lead'"
    )
    op.execute(
        "COMMENT ON COLUMN clay.host_writes.value_hash IS 'SHA-256 of the written text: an undo empties the column only if it still holds it'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE clay.host_writes, clay.write_back")
    op.execute("ALTER TABLE clay.attachment DROP COLUMN writes_enrichment")
