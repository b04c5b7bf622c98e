"""While a worker of an earlier release runs, no destination begins to use a mapping: that worker would send the standard payload."""

from typing import Any

import pytest

from tests.destination_settings.destination_calls import DESTINATIONS, webhook
from tests.harness.api import Api, run_api_with_leads

# As a release before 0037 writes its heartbeat.
EARLIER = """
INSERT INTO clay.workers (id, hostname, pid, version, serves_workspaces, seen_at)
VALUES (gen_random_uuid(), 'box-1', 4711, '0.1.0', true, now() - make_interval(secs => $1))
"""
CURRENT = """
INSERT INTO clay.workers (id, hostname, pid, version, serves_workspaces, sends_mappings)
VALUES (gen_random_uuid(), 'box-2', 4712, '0.1.0', true, true)
"""


async def create_mapping(api: Api) -> Any:
    columns = [{"key": "Name", "field": "full_name"}]
    return await api.call("POST", "/api/clay/mappings", {"name": "Outbound", "columns": columns})


async def destination_id(api: Api) -> Any:
    [default] = (await api.call("GET", DESTINATIONS))["destinations"]
    return default["id"]


async def mapping_of_default(api: Api) -> Any:
    return await api.host.connection.fetchval("SELECT mapping_version_id FROM clay.destinations WHERE is_default")


async def test_a_mapping_is_refused_while_an_earlier_worker_runs_and_nothing_is_saved(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        made = await create_mapping(api)
        await api.host.connection.execute(CURRENT)
        await api.host.connection.execute(EARLIER, 20.0)
        one = f"{DESTINATIONS}/{await destination_id(api)}"
        new = {"name": "B", "webhook_url": webhook(), "mapping_id": made["id"]}
        for method, path, body in (
            ("PUT", f"{one}/mapping", {"mapping_id": made["id"]}),
            ("PUT", one, {"name": "Renamed", "mapping_id": made["id"]}),
            ("POST", DESTINATIONS, new),
        ):
            refused = await api.call(method, path, body, status=409)
            assert refused["code"] == "workers_outdated"
            assert "box-1" not in refused["detail"], "an organization does not see the operator's hosts"
        assert await mapping_of_default(api) is None
        [only] = (await api.call("GET", DESTINATIONS))["destinations"]
        assert only["name"] == "Default"
        await api.call("PUT", f"{one}/mapping", {"mapping_id": None})


@pytest.mark.parametrize("seconds", [None, 31.0])
async def test_a_mapping_is_used_when_no_earlier_worker_runs(database_url: str, seconds: float | None) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        made = await create_mapping(api)
        await api.host.connection.execute(CURRENT)
        if seconds is not None:
            await api.host.connection.execute(EARLIER, seconds)
        await api.call("PUT", f"{DESTINATIONS}/{await destination_id(api)}/mapping", {"mapping_id": made["id"]})
        assert str(await mapping_of_default(api)) == made["version_id"]


async def test_a_mapping_in_use_stays_when_an_earlier_worker_starts(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        made = await create_mapping(api)
        one = f"{DESTINATIONS}/{await destination_id(api)}"
        await api.call("PUT", one, {"mapping_id": made["id"]})
        await api.host.connection.execute(EARLIER, 0.0)
        assert (await api.call("PUT", one, {"name": "Renamed", "mapping_id": made["id"]}))["name"] == "Renamed"
        await api.call("PUT", one, {"mapping_id": None})
        assert (await api.call("PUT", one, {"mapping_id": made["id"]}, status=409))["code"] == "workers_outdated"
