"""Exclusions of an exact e-mail address, of which only salted hashes are kept.

Widens a check and adds an index; runs beside the release before, which shows such an exclusion without lead and domain. The
downgrade fails while there are such exclusions: an opt-out must not be lost.
"""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute("ALTER TABLE clay.exclusions DROP CONSTRAINT exclusions_target")
    op.execute("""
ALTER TABLE clay.exclusions ADD CONSTRAINT exclusions_target CHECK (
    num_nonnulls(lead_id, domain) <= 1 AND (domain IS NULL) = (ascii_domain IS NULL)
    AND (num_nonnulls(lead_id, domain) = 1 OR cardinality(address_hashes) >= 1))""")
    op.execute("""
CREATE UNIQUE INDEX exclusions_of_address ON clay.exclusions (org_id, address_hashes)
WHERE lead_id IS NULL AND domain IS NULL""")
    op.execute(
        "COMMENT ON COLUMN clay.exclusions.address_hashes IS 'Salted hashes of the excluded address, or of the addresses known of the lead: they match the person under another lead id, and after an erasure'"
    )


def downgrade() -> None:
    addresses = "SELECT EXISTS (SELECT 1 FROM clay.exclusions WHERE lead_id IS NULL AND domain IS NULL)"
    if op.get_bind().exec_driver_sql(addresses).scalar_one():
        raise RuntimeError(
            "Some exclusions are of e-mail addresses. The release before cannot keep these people from Clay. Remove the"
            " exclusions first."
        )
    op.execute("DROP INDEX clay.exclusions_of_address")
    op.execute("ALTER TABLE clay.exclusions DROP CONSTRAINT exclusions_target")
    op.execute("""
ALTER TABLE clay.exclusions ADD CONSTRAINT exclusions_target CHECK (
    num_nonnulls(lead_id, domain) = 1 AND (domain IS NULL) = (ascii_domain IS NULL))""")
    op.execute(
        "COMMENT ON COLUMN clay.exclusions.address_hashes IS 'Salted hashes of the addresses known of the lead: they match the person under another lead id, and after an erasure'"
    )
