"""Adds a fingerprint of the webhook URL, so that a URL that returns after its removal continues its quota."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = """
ALTER TABLE clay.destination_versions ADD COLUMN url_fingerprint bytea;
COMMENT ON COLUMN clay.destination_versions.url_fingerprint IS 'A salted hash of the URL; null in versions from before it was kept';
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(STATEMENTS)
    cursor.close()


def downgrade() -> None:
    op.execute("ALTER TABLE clay.destination_versions DROP COLUMN url_fingerprint")
