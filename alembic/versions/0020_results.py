"""Results that come back from Clay, enriched values, and the time at which Clay confirmed a delivery.

Runs beside web and worker processes of the release before: it adds tables and a nullable column, and builds the index of the
delivery log concurrently. A run that was interrupted can be repeated.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

COLUMNS = """
ALTER TABLE clay.clay_push_log ADD COLUMN IF NOT EXISTS confirmed_at timestamptz;
COMMENT ON COLUMN clay.clay_push_log.confirmed_at IS 'When a result from Clay first named the delivery: its row exists in Clay';

ALTER TABLE clay.api_keys
    DROP CONSTRAINT api_keys_scopes,
    ADD CONSTRAINT api_keys_scopes CHECK (scopes <@ ARRAY['push', 'read', 'config', 'erase', 'ops', 'enrich', 'results']
                                          AND cardinality(scopes) > 0);
"""
TABLES = """
CREATE TABLE IF NOT EXISTS clay.custom_fields (
    org_id     uuid NOT NULL,
    names      text[] NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT custom_fields_pk PRIMARY KEY (org_id),
    CONSTRAINT custom_fields_number CHECK (cardinality(names) <= 50)
);
COMMENT ON TABLE clay.custom_fields IS 'Names of the custom fields that an organization takes from results';

CREATE TABLE IF NOT EXISTS clay.results_endpoints (
    id         uuid NOT NULL,
    org_id     uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT results_endpoints_pk PRIMARY KEY (id, org_id),
    CONSTRAINT results_endpoints_one_per_organization UNIQUE (org_id)
);
COMMENT ON TABLE clay.results_endpoints IS 'The public path to which an organization''s Clay tables send results. The id is no secret';

CREATE TABLE IF NOT EXISTS clay.results_tokens (
    id           uuid NOT NULL,
    org_id       uuid NOT NULL,
    endpoint_id  uuid NOT NULL,
    slot         smallint NOT NULL,
    prefix       text NOT NULL,
    token_hash   bytea NOT NULL,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT results_tokens_pk PRIMARY KEY (id, org_id),
    CONSTRAINT results_tokens_endpoint FOREIGN KEY (endpoint_id, org_id) REFERENCES clay.results_endpoints (id, org_id),
    CONSTRAINT results_tokens_hash UNIQUE (token_hash),
    CONSTRAINT results_tokens_slot CHECK (slot IN (1, 2))
);
CREATE UNIQUE INDEX IF NOT EXISTS results_tokens_two_active ON clay.results_tokens (org_id, slot) WHERE revoked_at IS NULL;
CREATE INDEX IF NOT EXISTS results_tokens_of_endpoint ON clay.results_tokens (endpoint_id, org_id);
COMMENT ON TABLE clay.results_tokens IS 'Secrets of the results endpoint, as hashes. At most two are active, so that one can be replaced';

CREATE TABLE IF NOT EXISTS clay.inbound_results (
    id           uuid NOT NULL,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    org_id       uuid NOT NULL,
    endpoint_id  uuid NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    seen_count   integer NOT NULL DEFAULT 1,
    sealed_body  bytea,
    state        text NOT NULL DEFAULT 'stored',
    cause        text,
    delivery_id  uuid,
    lead_id      uuid,
    applied_at   timestamptz,
    CONSTRAINT inbound_results_pk PRIMARY KEY (id, org_id),
    CONSTRAINT inbound_results_state CHECK (state IN ('stored', 'applied', 'nothing_new', 'unmatched', 'refused')),
    CONSTRAINT inbound_results_cause CHECK ((cause IS NOT NULL) = (state IN ('unmatched', 'refused'))),
    CONSTRAINT inbound_results_applied CHECK ((applied_at IS NOT NULL) = (state IN ('applied', 'nothing_new'))),
    CONSTRAINT inbound_results_body CHECK (state <> 'stored' OR sealed_body IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS inbound_results_stored ON clay.inbound_results (org_id, seq) WHERE state = 'stored';
CREATE INDEX IF NOT EXISTS inbound_results_by_state ON clay.inbound_results (org_id, state, seq);
CREATE INDEX IF NOT EXISTS inbound_results_by_age ON clay.inbound_results (received_at);
CREATE INDEX IF NOT EXISTS inbound_results_bodies ON clay.inbound_results (received_at) WHERE sealed_body IS NOT NULL;
COMMENT ON TABLE clay.inbound_results IS 'What Clay''s tables sent back, stored before it is acknowledged; applied by the worker';
COMMENT ON COLUMN clay.inbound_results.id IS 'Made of organization, endpoint and body: the same body is one result however often it arrives';
COMMENT ON COLUMN clay.inbound_results.sealed_body IS 'Encrypted, bound to the id of this row; emptied after 30 days or by an erasure';

CREATE TABLE IF NOT EXISTS clay.enriched_values (
    id               uuid NOT NULL DEFAULT gen_random_uuid(),
    seq              bigint GENERATED ALWAYS AS IDENTITY,
    org_id           uuid NOT NULL,
    lead_id          uuid NOT NULL,
    field            text NOT NULL,
    value            jsonb,
    value_key        text,
    source           text NOT NULL,
    provider         text,
    email_status     text,
    confidence       smallint,
    confidence_basis text NOT NULL,
    observed_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    result_id        uuid,
    created_by       text,
    CONSTRAINT enriched_values_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enriched_values_key CHECK ((value IS NULL) = (value_key IS NULL)),
    CONSTRAINT enriched_values_source CHECK (source IN ('routine', 'table', 'person')),
    CONSTRAINT enriched_values_person CHECK ((created_by IS NOT NULL) = (source = 'person')),
    CONSTRAINT enriched_values_email_status CHECK (email_status IN ('valid', 'catch_all', 'role', 'unknown', 'invalid')),
    CONSTRAINT enriched_values_confidence CHECK (confidence BETWEEN 0 AND 100),
    CONSTRAINT enriched_values_basis CHECK (confidence_basis IN ('reported', 'derived', 'none')
                                            AND (confidence IS NULL) = (confidence_basis = 'none'))
);
CREATE UNIQUE INDEX IF NOT EXISTS enriched_values_one_effect ON clay.enriched_values (org_id, result_id, field)
    WHERE result_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS enriched_values_of_lead ON clay.enriched_values (org_id, lead_id, field, seq);
CREATE INDEX IF NOT EXISTS enriched_values_by_age ON clay.enriched_values (received_at);
COMMENT ON TABLE clay.enriched_values IS 'Every value that was found for a field of a lead, and every search that found nothing; append-only';
COMMENT ON COLUMN clay.enriched_values.value IS 'A text or a list of texts; null: looked for and not found, or an edit withdrawn by a person';

CREATE TABLE IF NOT EXISTS clay.enriched_current (
    org_id         uuid NOT NULL,
    lead_id        uuid NOT NULL,
    field          text NOT NULL,
    value_id       uuid NOT NULL,
    pinned_by      text,
    pinned_at      timestamptz,
    chosen_because text NOT NULL,
    CONSTRAINT enriched_current_pk PRIMARY KEY (org_id, lead_id, field),
    CONSTRAINT enriched_current_value FOREIGN KEY (value_id, org_id) REFERENCES clay.enriched_values (id, org_id),
    CONSTRAINT enriched_current_pinned CHECK ((pinned_by IS NULL) = (pinned_at IS NULL)
                                              AND (pinned_by IS NOT NULL) = (chosen_because = 'pinned')),
    CONSTRAINT enriched_current_because CHECK (chosen_because IN ('pinned', 'edited', 'newest', 'more_confident'))
);
CREATE INDEX IF NOT EXISTS enriched_current_by_value ON clay.enriched_current (value_id, org_id);
COMMENT ON TABLE clay.enriched_current IS 'The value chosen for each field of a lead. A value of the host itself precedes it, unless pinned or edited';
"""
INDEX = """
CREATE INDEX CONCURRENTLY clay_push_log_unsettled ON clay.clay_push_log (org_id, id)
WHERE confirmed_at IS NOT NULL AND status <> 'success'
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        cursor = op.get_bind().connection.driver_connection.cursor()
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone()
        # While an ALTER TABLE waits for its lock, all later statements on the table wait behind it.
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(COLUMNS)
        cursor.execute(TABLES)
        # A concurrent build blocks no statement, but it waits for transactions that are older than itself.
        cursor.execute("SET lock_timeout = 0")
        cursor.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS clay.clay_push_log_unsettled"
        )  # left invalid by an interrupted run
        cursor.execute(INDEX)
        cursor.execute(f"SET lock_timeout = '{before}'")
        cursor.close()


def downgrade() -> None:
    op.execute("DROP TABLE clay.enriched_current, clay.enriched_values, clay.inbound_results, clay.results_tokens,"
               " clay.results_endpoints, clay.custom_fields")  # fmt: skip
    op.execute("ALTER TABLE clay.clay_push_log DROP COLUMN confirmed_at")
