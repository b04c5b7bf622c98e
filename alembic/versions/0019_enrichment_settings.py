"""Enrichment settings of an organization: API key, pace, routines, prices, budgets, and a key that waits for confirmation.

Only adds tables, so the release before is not affected.
"""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("""
CREATE TABLE clay.enrichment_settings (
    id                  uuid NOT NULL,
    org_id              uuid NOT NULL,
    version             integer NOT NULL DEFAULT 0,
    sealed_api_key      bytea,
    key_mask            text,
    key_source          text,
    key_state           text NOT NULL DEFAULT 'untried',
    key_number          integer NOT NULL DEFAULT 0,
    key_checked_at      timestamptz,
    host_fingerprint    bytea,
    requests_per_minute integer NOT NULL DEFAULT 100,
    next_request_at     timestamptz NOT NULL DEFAULT now(),
    credits_per_day     numeric(12,2),
    actions_per_day     integer,
    time_zone           text NOT NULL DEFAULT 'UTC',
    changed_by          text,
    changed_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT enrichment_settings_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enrichment_settings_one_per_organization UNIQUE (org_id),
    CONSTRAINT enrichment_settings_key CHECK ((sealed_api_key IS NULL) = (key_mask IS NULL)
                                              AND (sealed_api_key IS NULL) = (key_source IS NULL)),
    CONSTRAINT enrichment_settings_key_source CHECK (key_source IN ('api', 'host')),
    CONSTRAINT enrichment_settings_key_state CHECK (key_state IN ('untried', 'accepted', 'refused')),
    CONSTRAINT enrichment_settings_pace CHECK (requests_per_minute BETWEEN 1 AND 10000),
    CONSTRAINT enrichment_settings_budget CHECK (credits_per_day >= 0 AND actions_per_day >= 0)
);
COMMENT ON TABLE clay.enrichment_settings IS 'How an organization calls Clay''s public API, and what it may spend';
COMMENT ON COLUMN clay.enrichment_settings.version IS 'Counts the changes; 0: never changed';
COMMENT ON COLUMN clay.enrichment_settings.sealed_api_key IS 'Encrypted, bound to the id of this row';
COMMENT ON COLUMN clay.enrichment_settings.key_number IS 'Counts the keys, removals included; 0: there was never one';
COMMENT ON COLUMN clay.enrichment_settings.host_fingerprint IS 'Salted digest of the key last read from the host''s settings';
COMMENT ON COLUMN clay.enrichment_settings.next_request_at IS 'The first request that is not reserved';
COMMENT ON COLUMN clay.enrichment_settings.credits_per_day IS 'Daily budget of data credits; null: no limit';
COMMENT ON COLUMN clay.enrichment_settings.actions_per_day IS 'Daily budget of actions; null: no limit';
COMMENT ON COLUMN clay.enrichment_settings.time_zone IS 'IANA time zone in which a day of the budgets begins';

CREATE TABLE clay.enrichment_routines (
    id           uuid NOT NULL,
    org_id       uuid NOT NULL,
    kind         text NOT NULL,
    routine_id   text NOT NULL,
    inputs       jsonb NOT NULL,
    outputs      jsonb NOT NULL,
    credits_low  numeric(8,2),
    credits_high numeric(8,2),
    actions_low  numeric(8,2),
    actions_high numeric(8,2),
    CONSTRAINT enrichment_routines_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enrichment_routines_one_per_kind UNIQUE (org_id, kind),
    CONSTRAINT enrichment_routines_kind CHECK (kind IN ('full', 'email')),
    CONSTRAINT enrichment_routines_maps CHECK (jsonb_typeof(inputs) = 'object' AND jsonb_typeof(outputs) = 'object'),
    CONSTRAINT enrichment_routines_credits CHECK ((credits_low IS NULL) = (credits_high IS NULL)
                                                  AND credits_low BETWEEN 0 AND credits_high),
    CONSTRAINT enrichment_routines_actions CHECK ((actions_low IS NULL) = (actions_high IS NULL)
                                                  AND actions_low BETWEEN 0 AND actions_high)
);
COMMENT ON TABLE clay.enrichment_routines IS 'The routine in Clay of each kind of enrichment, with its maps and estimated price';
COMMENT ON COLUMN clay.enrichment_routines.inputs IS 'Name of an input in Clay: value of the lead';
COMMENT ON COLUMN clay.enrichment_routines.outputs IS 'Field: key of the routine''s result';
COMMENT ON COLUMN clay.enrichment_routines.credits_low IS 'Estimated price of one lead, as its owner set it; null: not set';

CREATE TABLE clay.pending_api_keys (
    id             uuid NOT NULL,
    org_id         uuid NOT NULL,
    sealed_api_key bytea,
    key_mask       text,
    found_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pending_api_keys_pk PRIMARY KEY (id, org_id),
    CONSTRAINT pending_api_keys_one_per_organization UNIQUE (org_id),
    CONSTRAINT pending_api_keys_mask CHECK ((sealed_api_key IS NULL) = (key_mask IS NULL))
);
COMMENT ON TABLE clay.pending_api_keys IS 'An API key change in the host''s settings that an owner or admin has to confirm';
COMMENT ON COLUMN clay.pending_api_keys.sealed_api_key IS 'Encrypted, bound to the id of this row; null: the key was removed there';
""")


def downgrade() -> None:
    op.execute("DROP TABLE clay.pending_api_keys")
    op.execute("DROP TABLE clay.enrichment_routines")
    op.execute("DROP TABLE clay.enrichment_settings")
