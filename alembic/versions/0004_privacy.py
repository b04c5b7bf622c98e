"""Adds erasure and retention: salted hashes of erased leads, receipts, and when a push job's personal columns were emptied."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = """
CREATE TABLE clay.erasure_salts (
    org_id     uuid NOT NULL,
    salt       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT erasure_salts_pk PRIMARY KEY (org_id),
    CONSTRAINT erasure_salts_length CHECK (octet_length(salt) = 32)
);

CREATE TABLE clay.erasures (
    id              uuid NOT NULL,
    org_id          uuid NOT NULL,
    actor           text NOT NULL,
    lead_references uuid[] NOT NULL,
    stopped_count   integer NOT NULL,
    emptied_count   integer NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT erasures_pk PRIMARY KEY (id),
    CONSTRAINT erasures_organization_key UNIQUE (org_id, id)
);
COMMENT ON COLUMN clay.erasures.lead_references IS 'What stands for the erased in the log; their ids are forgotten';

CREATE TABLE clay.erased_leads (
    org_id     uuid NOT NULL,
    hash       bytea NOT NULL,
    reference  uuid NOT NULL,
    erasure_id uuid NOT NULL,
    erased_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT erased_leads_pk PRIMARY KEY (org_id, hash),
    CONSTRAINT erased_leads_reference UNIQUE (org_id, reference),
    CONSTRAINT erased_leads_erasure_fk FOREIGN KEY (org_id, erasure_id) REFERENCES clay.erasures (org_id, id)
);
COMMENT ON TABLE clay.erased_leads IS 'sha256(the organization''s salt, the lead''s id): so that nobody is pushed again who was erased';

ALTER TABLE clay.push_jobs ADD COLUMN emptied_at timestamptz;
COMMENT ON COLUMN clay.push_jobs.emptied_at IS 'When retention emptied the personal columns of its deliveries';
CREATE INDEX push_jobs_to_empty ON clay.push_jobs (finished_at) WHERE finished_at IS NOT NULL AND emptied_at IS NULL;
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(STATEMENTS)
    cursor.close()


def downgrade() -> None:
    raise NotImplementedError("Without these hashes erased leads would be pushed again.")
