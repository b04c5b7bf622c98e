"""Segments, routes, exclusions of segments, and the route of a delivery.

Adds two tables and nullable columns, and widens two checks and an index of exclusions; runs beside the release before, which
pushes everything to the default destination. `clay_push_log.route_id` has no foreign key: the history keeps the id of a deleted
route, and a key would need an index on the largest table.
"""

from alembic import op

revision = "0031"
down_revision = "0030"

TARGET = """
ALTER TABLE clay.exclusions ADD CONSTRAINT exclusions_target CHECK (
    num_nonnulls({targets}) <= 1 AND (domain IS NULL) = (ascii_domain IS NULL)
    AND (num_nonnulls({targets}) = 1 OR cardinality(address_hashes) >= 1))"""


def upgrade() -> None:
    op.execute("""
CREATE TABLE clay.segments (
    id         uuid NOT NULL,
    org_id     uuid NOT NULL,
    name       text NOT NULL,
    filters    jsonb NOT NULL,
    emptied_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT segments_pk PRIMARY KEY (id, org_id),
    CONSTRAINT segments_name UNIQUE (org_id, name),
    CONSTRAINT segments_filters CHECK (jsonb_typeof(filters) = 'object')
)""")
    op.execute("COMMENT ON TABLE clay.segments IS 'Saved filters of leads'")
    op.execute(
        "COMMENT ON COLUMN clay.segments.emptied_at IS 'When an erasure removed a text that named an erased lead: the segment matches"
        " no lead until it is saved again'"
    )
    op.execute("""
CREATE TABLE clay.routes (
    id             uuid NOT NULL,
    org_id         uuid NOT NULL,
    project_id     uuid,
    position       integer NOT NULL,
    segment_id     uuid,
    destination_id uuid,
    continues      boolean NOT NULL DEFAULT false,
    on_move        text NOT NULL DEFAULT 'stay',
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT routes_pk PRIMARY KEY (id, org_id),
    CONSTRAINT routes_segment_fk FOREIGN KEY (segment_id, org_id) REFERENCES clay.segments (id, org_id),
    CONSTRAINT routes_destination_fk FOREIGN KEY (destination_id, org_id) REFERENCES clay.destinations (id, org_id),
    CONSTRAINT routes_position CHECK (position BETWEEN 1 AND 100),
    CONSTRAINT routes_on_move CHECK (on_move IN ('stay', 'follow')),
    CONSTRAINT routes_continue CHECK (NOT continues OR destination_id IS NOT NULL)
)""")
    op.execute("""
CREATE UNIQUE INDEX routes_position_of_organization ON clay.routes (org_id, position) WHERE project_id IS NULL""")
    op.execute("""
CREATE UNIQUE INDEX routes_position_of_project ON clay.routes (org_id, project_id, position) WHERE project_id IS NOT NULL""")
    op.execute("CREATE INDEX routes_of_segment ON clay.routes (org_id, segment_id)")
    op.execute("CREATE INDEX routes_of_destination ON clay.routes (org_id, destination_id)")
    op.execute("COMMENT ON TABLE clay.routes IS 'Ordered rules: leads of a segment go to a destination'")
    op.execute(
        "COMMENT ON COLUMN clay.routes.project_id IS 'The project whose list it is in; null: the list of the organization'"
    )
    op.execute("COMMENT ON COLUMN clay.routes.segment_id IS 'Null: every lead'")
    op.execute("COMMENT ON COLUMN clay.routes.destination_id IS 'Null: do not push'")
    op.execute(
        "COMMENT ON COLUMN clay.routes.continues IS 'Whether later routes are applied to a lead that this one matches'"
    )
    op.execute(
        "COMMENT ON COLUMN clay.routes.on_move IS 'stay: automatic pushes skip a lead that is in any table; follow: only one that is in"
        " this table'"
    )
    op.execute("ALTER TABLE clay.clay_push_log ADD COLUMN route_id uuid")
    op.execute(
        "COMMENT ON COLUMN clay.clay_push_log.route_id IS 'The route that chose the destination; null: the request or the default did, or no"
        " route matched'"
    )
    op.execute("ALTER TABLE clay.exclusions ADD COLUMN segment_id uuid")
    op.execute("""
ALTER TABLE clay.exclusions ADD CONSTRAINT exclusions_segment_fk
    FOREIGN KEY (segment_id, org_id) REFERENCES clay.segments (id, org_id)""")
    op.execute("ALTER TABLE clay.exclusions DROP CONSTRAINT exclusions_target")
    op.execute(TARGET.format(targets="lead_id, domain, segment_id"))
    op.execute("""
ALTER TABLE clay.exclusions ADD CONSTRAINT exclusions_segment CHECK (segment_id IS NULL OR cardinality(address_hashes) = 0)""")
    op.execute(
        "CREATE UNIQUE INDEX exclusions_of_segment ON clay.exclusions (org_id, segment_id) WHERE segment_id IS NOT NULL"
    )
    op.execute("DROP INDEX clay.exclusions_of_address")
    op.execute("""
CREATE UNIQUE INDEX exclusions_of_address ON clay.exclusions (org_id, address_hashes)
WHERE lead_id IS NULL AND domain IS NULL AND segment_id IS NULL""")
    op.execute(
        "COMMENT ON TABLE clay.exclusions IS 'Leads, e-mail domains, addresses and segments that an organization keeps from Clay'"
    )


def downgrade() -> None:
    segments = "SELECT EXISTS (SELECT 1 FROM clay.exclusions WHERE segment_id IS NOT NULL)"
    if op.get_bind().exec_driver_sql(segments).scalar_one():
        raise RuntimeError(
            "Some exclusions are of segments. The release before cannot keep their leads from Clay. Remove the exclusions first."
        )
    op.execute("DROP INDEX clay.exclusions_of_address")
    op.execute("ALTER TABLE clay.exclusions DROP CONSTRAINT exclusions_segment, DROP CONSTRAINT exclusions_target")
    op.execute(TARGET.format(targets="lead_id, domain"))
    op.execute("ALTER TABLE clay.exclusions DROP COLUMN segment_id")
    op.execute("""
CREATE UNIQUE INDEX exclusions_of_address ON clay.exclusions (org_id, address_hashes)
WHERE lead_id IS NULL AND domain IS NULL""")
    op.execute("COMMENT ON TABLE clay.exclusions IS 'Leads and e-mail domains that an organization keeps from Clay'")
    op.execute("ALTER TABLE clay.clay_push_log DROP COLUMN route_id")
    op.execute("DROP TABLE clay.routes")
    op.execute("DROP TABLE clay.segments")
