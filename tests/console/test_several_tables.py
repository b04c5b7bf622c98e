"""What the console shows of several Clay tables: the overview of each, and the table and the mapping of a job."""

from tests.destination_settings.destination_calls import DESTINATIONS, create
from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting


async def test_the_overview_shows_each_table_only_if_there_are_several(api: Api, owner: Visitor) -> None:
    assert "All destinations" not in (await owner.open("/console/")).text
    made = await create(api, "Großkunden 大口", quota_used=45_000)
    page = (await owner.open("/console/")).text
    assert "All destinations" in page
    assert f'href="/console/destinations/{made["id"]}"' in page
    assert "45,000 of 50,000" in page
    assert "Quota of the default webhook" in page
    await api.call("PUT", f"{DESTINATIONS}/{made['id']}", {"name": "<b>x</b>"})
    assert "<b>x</b>" not in (await owner.open("/console/")).text


async def test_a_job_shows_its_table_and_the_version_of_its_mapping(api: Api, owner: Visitor) -> None:
    standard = await api.push_and_drain(api.lead_ids[:1])
    [default] = (await api.call("GET", DESTINATIONS))["destinations"]
    columns = [{"key": "Name", "field": "full_name"}]
    mapping = await api.call("POST", "/api/clay/mappings", {"name": "Kalt <i>", "columns": columns})
    await api.call("PUT", f"{DESTINATIONS}/{default['id']}", {"mapping_id": mapping["id"]})
    job = await api.push_and_drain(api.lead_ids[1:])
    await api.call(
        "PUT", f"/api/clay/mappings/{mapping['id']}", {"columns": [*columns, {"key": "Bio", "field": "bio"}]}
    )
    page = (await owner.open(f"/console/jobs/{job['id']}")).text
    assert 'Mapping <bdi dir="auto">Kalt &lt;i&gt;</bdi>, version 1' in page
    assert f'href="/console/destinations/{default["id"]}"' in page
    assert "Standard payload" in (await owner.open(f"/console/jobs/{standard['id']}")).text


async def test_a_mapping_is_not_chosen_while_an_earlier_worker_runs(api: Api) -> None:
    [default] = (await api.call("GET", DESTINATIONS))["destinations"]
    columns = [{"key": "Name", "field": "full_name"}]
    mapping = await api.call("POST", "/api/clay/mappings", {"name": "Outbound", "columns": columns})
    await api.host.connection.execute(
        "INSERT INTO clay.workers (id, hostname, pid, version) VALUES (gen_random_uuid(), 'box-1', 1, '0.1.0')"
    )
    async with visiting(api) as owner:
        await owner.open(f"/console/destinations/{default['id']}")
        page = await owner.submit_and_follow(
            f"/console/destinations/{default['id']}/mapping", {"mapping_id": mapping["id"]}
        )
    assert "This service is being updated" in page.text
    assert (await api.call("GET", f"{DESTINATIONS}/{default['id']}"))["mapping"] is None
