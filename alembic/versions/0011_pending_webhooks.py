"""Webhook changes found in the host's settings that wait for an owner's confirmation; which version is a new Clay table."""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = """
CREATE TABLE clay.pending_webhooks (
    id           uuid NOT NULL,
    org_id       uuid NOT NULL,
    sealed_url   bytea,
    sealed_token bytea,
    url_mask     text,
    found_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pending_webhooks_pk PRIMARY KEY (id),
    CONSTRAINT pending_webhooks_one_per_organization UNIQUE (org_id),
    CONSTRAINT pending_webhooks_mask CHECK ((sealed_url IS NULL) = (url_mask IS NULL)),
    CONSTRAINT pending_webhooks_without_token CHECK (sealed_token IS NULL)
);
COMMENT ON TABLE clay.pending_webhooks IS 'A webhook found in the host''s settings that waits for an owner or admin';
COMMENT ON COLUMN clay.pending_webhooks.sealed_url IS 'Bound to this row''s id; null: the webhook was removed there';

ALTER TABLE clay.destinations
    ADD COLUMN url_since_version integer,
    ADD COLUMN new_table_version integer;
COMMENT ON COLUMN clay.destinations.url_since_version IS 'The version that brought the present webhook URL; null: from before it was kept';
COMMENT ON COLUMN clay.destinations.new_table_version IS 'The last version that was declared to feed a new Clay table';
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(STATEMENTS)
    cursor.close()


def downgrade() -> None:
    op.execute("DROP TABLE clay.pending_webhooks")
    op.execute("ALTER TABLE clay.destinations DROP COLUMN url_since_version, DROP COLUMN new_table_version")
