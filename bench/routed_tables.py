"""Adds ten Clay tables and 100 routes to an organization: a route for each range of scores, which no two routes share."""

import json
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.stage import Organization
from clay_push_service.database.statement import Statement

TABLES, ROUTES = 10, 100
ADD_METER = Statement("INSERT INTO clay.quota_meters (id, org_id) VALUES (:meter_id, :org_id)")
ADD_DESTINATION = Statement("""
INSERT INTO clay.destinations (id, org_id, workspace_id, name, is_default)
SELECT :id, org_id, workspace_id, :name, false FROM clay.destinations WHERE org_id = :org_id AND is_default
""")
ADD_VERSION = Statement("""
INSERT INTO clay.destination_versions (id, org_id, destination_id, number, sealed_url, url_mask, source, state, meter_id)
VALUES (:version_id, :org_id, :id, 1, 'sealed', 'masked', 'api', 'open', :meter_id)
""")
USE_VERSION = Statement("UPDATE clay.destinations SET version_id = :version_id WHERE org_id = :org_id AND id = :id")
ADD_SEGMENT = Statement("""
INSERT INTO clay.segments (id, org_id, name, filters, created_by, updated_by)
VALUES (:id, :org_id, :name, CAST(:filters AS jsonb), 'bench', 'bench')
""")
ADD_ROUTE = Statement("""
INSERT INTO clay.routes (id, org_id, position, segment_id, destination_id, created_by)
VALUES (:id, :org_id, :position, :segment_id, :destination_id, 'bench')
""")
REMOVE_ROUTES = Statement("DELETE FROM clay.routes WHERE org_id = :org_id")


async def add_routes(connection: AsyncConnection, organization: Organization) -> None:
    org = {"org_id": organization.org_id}
    tables = []
    for number in range(TABLES):
        made = {**org, "id": uuid4(), "version_id": uuid4(), "meter_id": uuid4(), "name": f"Table {number}"}
        for statement in (ADD_METER, ADD_DESTINATION, ADD_VERSION, USE_VERSION):
            await statement.execute(connection, made)
        tables.append(made["id"])
    for number in range(ROUTES):
        segment_id = uuid4()
        filters = json.dumps({"min_score": number, "max_score": number + 0.99})
        segment = {**org, "id": segment_id, "name": f"Segment {number}", "filters": filters}
        await ADD_SEGMENT.execute(connection, segment)
        route = {**org, "id": uuid4(), "position": number + 1, "segment_id": segment_id}
        await ADD_ROUTE.execute(connection, {**route, "destination_id": tables[number % TABLES]})


async def remove_routes(connection: AsyncConnection, organization: Organization) -> None:
    await REMOVE_ROUTES.execute(connection, {"org_id": organization.org_id})
