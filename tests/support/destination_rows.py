"""Inserts destinations and destination versions into the tables, for tests and benchmarks without an API."""

from uuid import UUID, uuid4

from clay_push_service.database.statement import Connection, Statement

WORKSPACE = Statement("""
INSERT INTO clay.workspaces (org_id, rate_limit_ms) VALUES (:org_id, :rate_limit_ms)
ON CONFLICT (org_id) WHERE is_default DO UPDATE SET rate_limit_ms = excluded.rate_limit_ms
""")
DESTINATION = Statement(
    """
INSERT INTO clay.destinations (id, org_id, workspace_id, table_name)
SELECT :id, org_id, id, :table_name FROM clay.workspaces WHERE org_id = :org_id AND is_default
ON CONFLICT (org_id) WHERE is_default DO UPDATE SET table_name = excluded.table_name RETURNING id
""",
    UUID,
)
METER = Statement(
    "INSERT INTO clay.quota_meters (id, org_id, used, quota_limit) VALUES (:id, :org_id, :used, :quota_limit)"
)
SECOND = Statement(
    """
INSERT INTO clay.destinations (id, org_id, workspace_id, table_name, name, is_default)
SELECT :id, org_id, id, :table_name, :table_name, false FROM clay.workspaces WHERE org_id = :org_id AND is_default RETURNING id
""",
    UUID,
)
VERSION = Statement("""
WITH added AS (
    INSERT INTO clay.destination_versions (id, org_id, destination_id, number, sealed_url, sealed_token, url_mask, source,
                                           meter_id, state, state_reason)
    SELECT :id, :org_id, :destination_id, 1 + count(*), :sealed_url, :sealed_token, 'masked', 'api', :meter_id, :state,
           :state_reason
    FROM clay.destination_versions WHERE org_id = :org_id AND destination_id = :destination_id
    RETURNING id)
UPDATE clay.destinations SET version_id = added.id FROM added
WHERE destinations.org_id = :org_id AND destinations.id = :destination_id
""")


async def add_destination(
    connection: Connection, org_id: UUID, *, table_name: str | None = "Leads", rate_limit_ms: int = 200
) -> UUID:
    """Insert or change the organization's default workspace and destination. Returns the destination's id."""
    await WORKSPACE.execute(connection, {"org_id": org_id, "rate_limit_ms": rate_limit_ms})
    values = {"id": uuid4(), "org_id": org_id, "table_name": table_name}
    return await DESTINATION.one(connection, values)


async def add_second_destination(connection: Connection, org_id: UUID, *, table_name: str = "Second") -> UUID:
    """Add another destination to the organization's default workspace. Returns its id."""
    return await SECOND.one(connection, {"id": uuid4(), "org_id": org_id, "table_name": table_name})


async def add_version(
    connection: Connection,
    org_id: UUID,
    destination_id: UUID,
    *,
    version_id: UUID | None = None,
    sealed_url: bytes | None = b"sealed",
    sealed_token: bytes | None = None,
    meter_id: UUID | None = None,
    used: int = 0,
    quota_limit: int | None = 50_000,
    state: str = "open",
    state_reason: str | None = None,
) -> UUID:
    """Insert a version and make it current. It counts on the quota meter `meter_id`, or on a new one. Returns the version's id."""
    version_id = version_id or uuid4()
    if meter_id is None:
        meter_id = uuid4()
        values = {"id": meter_id, "org_id": org_id, "used": used, "quota_limit": quota_limit}
        await METER.execute(connection, values)
    await VERSION.execute(
        connection,
        {
            "id": version_id, "org_id": org_id, "destination_id": destination_id, "sealed_url": sealed_url,
            "sealed_token": sealed_token, "meter_id": meter_id, "state": state, "state_reason": state_reason,
        },
    )  # fmt: skip
    return version_id
