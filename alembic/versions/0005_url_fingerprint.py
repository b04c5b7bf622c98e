"""By which a webhook URL is known again when it comes back, also after it was removed: its meter at Clay has gone on."""

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
