"""Exclusions: leads and e-mail domains that an organization keeps from Clay. Adds one table; runs beside the release before."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("""
CREATE TABLE clay.exclusions (
    id             uuid NOT NULL,
    org_id         uuid NOT NULL,
    seq            bigint GENERATED ALWAYS AS IDENTITY,
    kind           text NOT NULL,
    lead_id        uuid,
    domain         text,
    ascii_domain   text,
    address_hashes bytea[] NOT NULL DEFAULT '{}',
    reason         text,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    erased_at      timestamptz,
    CONSTRAINT exclusions_pk PRIMARY KEY (id, org_id),
    CONSTRAINT exclusions_kind CHECK (kind IN ('exclusion', 'opt_out')),
    CONSTRAINT exclusions_target CHECK (num_nonnulls(lead_id, domain) = 1 AND (domain IS NULL) = (ascii_domain IS NULL)),
    CONSTRAINT exclusions_hashes CHECK (domain IS NULL OR cardinality(address_hashes) = 0),
    CONSTRAINT exclusions_erased CHECK (erased_at IS NULL OR lead_id IS NOT NULL AND reason IS NULL)
)""")
    op.execute("CREATE UNIQUE INDEX exclusions_of_lead ON clay.exclusions (org_id, lead_id) WHERE lead_id IS NOT NULL")
    op.execute("CREATE UNIQUE INDEX exclusions_of_domain ON clay.exclusions (org_id, domain) WHERE domain IS NOT NULL")
    op.execute("CREATE INDEX exclusions_by_organization ON clay.exclusions (org_id, seq)")
    op.execute("COMMENT ON TABLE clay.exclusions IS 'Leads and e-mail domains that an organization keeps from Clay'")
    op.execute(
        "COMMENT ON COLUMN clay.exclusions.lead_id IS 'After an erasure the reference that replaces the lead in the log'"
    )
    op.execute(
        "COMMENT ON COLUMN clay.exclusions.address_hashes IS 'Salted hashes of the addresses known of the lead: they match the"
        " person under another lead id, and after an erasure'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE clay.exclusions")
