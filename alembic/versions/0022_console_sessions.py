"""Sessions of the web console, as hashes of their secrets. Only adds a table, so the release before is not affected."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("""
CREATE TABLE clay.console_sessions (
    id          uuid NOT NULL,
    org_id      uuid NOT NULL,
    secret_hash bytea NOT NULL,
    user_id     uuid,
    username    text,
    key_id      uuid,
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT console_sessions_pk PRIMARY KEY (id, org_id),
    CONSTRAINT console_sessions_secret UNIQUE (secret_hash),
    CONSTRAINT console_sessions_owner CHECK ((username IS NULL) <> (key_id IS NULL)
                                             AND (username IS NULL) = (user_id IS NULL))
);
CREATE INDEX console_sessions_by_expiry ON clay.console_sessions (expires_at);
COMMENT ON TABLE clay.console_sessions IS 'Sessions of the web console. Only the browser holds the secret; rows are deleted 7 days after their end';
""")


def downgrade() -> None:
    op.execute("DROP TABLE clay.console_sessions")
