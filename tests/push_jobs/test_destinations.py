"""Pushes to a named Clay table over HTTP. "Already in Clay" counts per table, or with `anywhere` over all tables of the organization."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.api import Api, run_api_with_leads


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url) as made:
        yield made


async def add_table(api: Api, name: str) -> str:
    """Another destination of the default workspace, which sends to the same receiver. Returns its id."""
    body = {"name": name, "webhook_url": f"{api.receiver.url}-{name}"}
    return str((await api.call("POST", "/api/clay/destinations", body))["id"])


async def causes(api: Api, job_id: str) -> dict[str, int]:
    return {each["cause"]: each["count"] for each in (await api.job(job_id))["causes"]}


async def test_push_goes_to_the_named_table_and_its_job_names_it(api: Api) -> None:
    second = await add_table(api, "second")
    pushed = await api.push(destination_id=second)
    assert [each["destination"] for each in pushed["jobs"]] == [{"id": second, "name": "second"}]
    await api.drain()
    job = await api.job(pushed["job_id"])
    assert (job["destination"]["id"], job["table_name"], job["success_count"]) == (second, "second", 3)
    [detail] = (await api.call("GET", f"/api/clay/jobs/{pushed['job_id']}/leads?limit=1"))["leads"]
    found = await api.call("GET", f"/api/clay/jobs/{pushed['job_id']}/leads/{detail['delivery_id']}")
    assert found["destination"] == {"id": second, "name": "second"}
    quotas = {
        each["name"]: each["quota"]["used"]
        for each in (await api.call("GET", "/api/clay/destinations"))["destinations"]
    }
    assert quotas == {"Default": 0, "second": 3}


async def test_already_in_clay_counts_per_table_and_with_anywhere_over_all_tables(api: Api) -> None:
    second, third = await add_table(api, "second"), await add_table(api, "third")
    await api.push_and_drain(api.lead_ids[:1], destination_id=second)
    assert (await api.push(api.lead_ids[:1]))["skipped_count"] == 0
    await api.drain()
    assert await causes(api, await api.queue(destination_id=third, anywhere=True)) == {"already_in_clay": 1}
    assert await causes(api, await api.queue(anywhere=True)) == {"already_in_clay": 1, "already_queued": 2}
    assert await causes(api, await api.queue(api.lead_ids[1:])) == {}


async def test_preview_of_a_named_table_equals_the_push(api: Api) -> None:
    second = await add_table(api, "second")
    await api.push_and_drain(api.lead_ids[:1])
    for more in ({}, {"anywhere": True}):
        body = {"project_id": str(api.project_id), "destination_id": second, **more}
        preview = await api.call("POST", "/api/clay/preview", body)
        assert preview["destination"] == {"id": second, "name": "second"}
        assert preview["to_send"] == 2 + (not more)
    dry = await api.call(
        "POST", "/api/clay/push?dry_run=true", {"lead_ids": [str(api.lead_ids[0])], "destination_id": second}
    )
    assert dry["to_send"] == 1


@pytest.mark.parametrize("path", ["push", "push-filtered", "preview"])
async def test_unknown_table_queues_nothing(api: Api, path: str) -> None:
    selection: dict[str, Any] = {"project_id": str(api.project_id)}
    if path == "push":
        selection["lead_ids"] = [str(api.lead_ids[0])]
    body = selection | {"destination_id": str(uuid4())}
    problem = await api.call("POST", f"/api/clay/{path}", body, status=404)
    assert (problem["code"], problem["errors"][0]["field"]) == ("destination_not_found", "destination_id")
    assert (await api.call("GET", "/api/clay/jobs"))["jobs"] == []


async def test_archiving_a_table_ends_its_queued_leads_and_refuses_pushes_and_retries(api: Api) -> None:
    second = await add_table(api, "second")
    job_id = await api.queue(destination_id=second)
    archived = await api.call("DELETE", f"/api/clay/destinations/{second}")
    assert archived["ended_count"] == 3
    job = await api.job(job_id)
    assert (job["status"], job["destination"]["name"], await causes(api, job_id)) == (
        "failed",
        "second",
        {"destination_removed": 3},
    )
    body = {"lead_ids": [str(api.lead_ids[0])], "destination_id": second}
    assert (await api.call("POST", "/api/clay/push", body, status=409))["code"] == "destination_archived"
    assert (await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {}, status=409))["code"] == "destination_archived"
    assert api.receiver.leads == {}


async def test_lead_states_are_those_of_the_named_table(api: Api) -> None:
    second = await add_table(api, "second")
    await api.push_and_drain(api.lead_ids[:1], destination_id=second)

    async def states(query: str = "") -> list[str]:
        page = await api.call("GET", f"/api/clay/leads?project_id={api.project_id}{query}")
        return sorted(each["clay"]["state"] for each in page["leads"])

    assert await states() == ["never"] * 3
    assert await states(f"&destination_id={second}") == ["in_clay", "never", "never"]
    problem = await api.call("GET", f"/api/clay/leads?project_id={api.project_id}&destination_id={uuid4()}", status=404)
    assert problem["code"] == "destination_not_found"


async def test_twenty_identical_pushes_at_once_queue_each_lead_once_for_a_table(api: Api) -> None:
    second = await add_table(api, "second")
    await asyncio.gather(*(api.push(destination_id=second) for _ in range(20)))
    await api.drain()
    assert sorted(api.receiver.leads.values()) == [1, 1, 1]


async def test_pushes_anywhere_to_two_tables_at_once_queue_each_lead_once_in_all(api: Api) -> None:
    tables = [await add_table(api, "second"), await add_table(api, "third")]
    await asyncio.gather(*(api.push(destination_id=tables[number % 2], anywhere=True) for number in range(10)))
    await api.drain()
    assert sorted(api.receiver.leads.values()) == [1, 1, 1]


async def test_same_request_without_a_table_keeps_the_idempotency_of_earlier_releases(api: Api) -> None:
    body = {"lead_ids": [str(api.lead_ids[0])]}
    first, again = [await api.call("POST", "/api/clay/push", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert first == again
    [stored] = await api.installation.fetch("SELECT encode(request_hash, 'hex') AS hash FROM clay.idempotency_keys")
    text = f'push\n{{"lead_ids":["{api.lead_ids[0]}"],"project_id":null,"push_again":false}}'
    assert stored.hash == hashlib.sha256(text.encode()).hexdigest()
    other = body | {"destination_id": await add_table(api, "second")}
    problem = await api.call("POST", "/api/clay/push", other, status=422, headers={"Idempotency-Key": "k"})
    assert problem["code"] == "idempotency_key_reused"
