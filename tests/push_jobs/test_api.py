"""Pushing over HTTP: invalid input queues no lead and gets a remedy, a repeated request is one push, and a job can be watched."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.service import Service, run_service


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """A configured service with a worker. The sandbox has no rate limit."""
    async with run_service(database_url, tmp_path) as made:
        await made.configure()
        yield made


@pytest.fixture
async def idle(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """A configured service without a worker: queued leads stay queued."""
    async with run_service(database_url, tmp_path, workers=0) as made:
        await made.configure()
        yield made


async def queued(service: Service) -> int:
    return int(await service.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs"))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lead_ids": []}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ({"lead_ids": ["not-a-uuid"]}, 422, "invalid_request"),
        ({"lead_ids": "all"}, 422, "invalid_request"),
        ({"lead_ids": [str(uuid4())] * 50_001}, 422, "invalid_request"),
        ({"lead_ids": [str(uuid4())]}, 404, "lead_not_found"),
        ({"lead_ids": [str(uuid4())], "project_id": str(uuid4())}, 404, "project_not_found"),
        ({"lead_ids": [str(uuid4())], "push_agian": True}, 422, "invalid_request"),
    ],
)
async def test_invalid_input_queues_nothing_and_gets_a_remedy(
    idle: Service, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await idle.api.http.post("/api/clay/push", json=body, headers=idle.api.headers())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert isinstance(problem["detail"], str)
    assert len(problem["detail"]) > 10
    assert await queued(idle) == 0


@pytest.mark.parametrize(
    ("ids", "report"), [(0, "lead_ids: must name at least 1."), (50_001, "lead_ids: must name at most 50,000.")]
)
async def test_too_few_or_too_many_leads_are_refused_with_the_limits(idle: Service, ids: int, report: str) -> None:
    answer = await idle.api.http.post(
        "/api/clay/push", json={"lead_ids": [str(uuid4())] * ids}, headers=idle.api.headers()
    )
    assert answer.json()["detail"] == report


async def test_project_and_leads_of_another_organization_are_not_found(idle: Service) -> None:
    other_project = await idle.host.project(idle.other_org_id)
    other_lead = await idle.host.lead(other_project)
    for body in (
        {"lead_ids": [str(other_lead)]},
        {"lead_ids": [str(idle.lead_ids[0])], "project_id": str(other_project)},
    ):
        await idle.api.call("POST", "/api/clay/push", body, status=404)
    await idle.api.call("POST", "/api/clay/push-filtered", {"project_id": str(other_project)}, status=404)
    assert await queued(idle) == 0


async def test_an_internal_webhook_is_refused_at_save(idle: Service) -> None:
    refused = await idle.api.call(
        "PUT", "/api/clay/config", {"webhook_url": "http://169.254.169.254/latest/meta-data"}, status=422
    )
    assert "169.254" not in json.dumps(refused)


async def test_without_a_project_there_is_one_job_per_project(idle: Service) -> None:
    org_id, lead = idle.org_id, idle.lead_ids[0]
    other = uuid4()
    await idle.host.connection.execute(
        "INSERT INTO projects (id, org_id, name) VALUES ($1, $2, 'Second')", other, org_id
    )
    await idle.host.connection.execute(
        f"INSERT INTO lead_scores (project_id, {idle.host.name('lead_id')}, overall_score) VALUES ($1, $2, 100)",
        other,
        lead,
    )
    body = {"contributor_ids": [str(each) for each in idle.lead_ids[:3]]}
    answer = await idle.api.call("POST", "/api/clay/push", body)
    assert answer["lead_count"] == 3
    by_project = {job["project_id"]: job["lead_count"] for job in answer["jobs"]}
    assert by_project == {str(idle.project_id): 2, str(other): 1}
    assert answer["job_id"] == answer["jobs"][0]["job_id"]


async def test_a_repeated_key_gives_the_first_response_and_another_body_is_refused(idle: Service) -> None:
    leads = [str(each) for each in idle.lead_ids[:2]]
    key = {"Idempotency-Key": "push-1"}
    body = {"lead_ids": leads}
    first = await idle.api.call("POST", "/api/clay/push", body, headers=key)
    assert await idle.api.call("POST", "/api/clay/push", body, headers=key) == first
    refused = await idle.api.call("POST", "/api/clay/push", {"lead_ids": leads[:1]}, headers=key, status=422)
    assert refused["code"] == "idempotency_key_reused"
    assert await queued(idle) == 1


async def test_one_of_two_concurrent_requests_with_the_same_key_pushes(idle: Service) -> None:
    body = {"lead_ids": [str(each) for each in idle.lead_ids[:50]]}
    answers = await asyncio.gather(
        *(
            idle.api.http.post("/api/clay/push", json=body, headers=idle.api.headers() | {"Idempotency-Key": "k"})
            for _ in range(8)
        )
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["job_id"] for answer in answers if answer.status_code == 202}) == 1
    assert await queued(idle) == 1


async def test_a_preview_shows_the_effect_of_a_push_and_queues_nothing(service: Service) -> None:
    leads = list(service.lead_ids)
    await service.api.finished((await service.api.push(leads[:10]))["job_id"])
    await service.host.connection.execute(
        f"UPDATE {service.host.name('leads')} SET company = 'Changed Inc.' WHERE id = $1", leads[0]
    )
    before = await queued(service)
    body = {"project_id": str(service.project_id)}
    seen = await service.api.call("POST", "/api/clay/preview", body)
    assert (seen["lead_count"], seen["to_send"], seen["changed_since"]) == (200, 190, 1)
    assert [(reason["cause"], reason["count"]) for reason in seen["skipped"]] == [("already_in_clay", 10)]
    assert seen["quota_left_after"] == 50_000 - 10 - 190
    assert seen["sample"]["_meta"]["source"] == "nexusleads"
    without = await service.host.connection.fetchval(
        f"SELECT count(*) FROM {service.host.name('leads')} WHERE id = ANY($1) AND (email IS NULL OR email = '')",
        leads[10:],
    )
    assert seen["without_email"] == without > 0
    dry = await service.api.call("POST", "/api/clay/push-filtered?dry_run=true", body)
    assert dry["to_send"] == 190
    assert await queued(service) == before


async def test_filters_select_leads_and_mode_all_accepts_no_filters(idle: Service) -> None:
    project = {"project_id": str(idle.project_id)}
    want = await idle.host.connection.fetchval(
        "SELECT count(*) FROM lead_scores WHERE project_id = $1 AND overall_score >= 70", idle.project_id
    )
    answer = await idle.api.call("POST", "/api/clay/push-filtered", project | {"filters": {"min_score": 70}})
    assert answer["lead_count"] == want > 0
    await idle.api.call(
        "POST", "/api/clay/push-filtered", project | {"push_mode": "all", "filters": {"min_score": 70}}, status=422
    )


async def test_cancel_stops_a_job_and_reports_the_sent_leads(service: Service) -> None:
    await service.api.call("PUT", "/api/clay/config", {"rate_limit_ms": 50})
    answer = await service.api.push(list(service.lead_ids))
    await service.sandbox.until_rows(10)
    report = await service.api.call("POST", f"/api/clay/jobs/{answer['job_id']}/cancel")
    job = await service.api.finished(answer["job_id"])
    at_its_end = len(await service.sandbox.rows())
    assert job["status"] == "cancelled"
    assert job["skipped_count"] >= report["cancelled_count"] > 100
    await asyncio.sleep(0.5)
    assert len(await service.sandbox.rows()) == at_its_end == job["success_count"]
    await service.api.call("POST", f"/api/clay/jobs/{answer['job_id']}/cancel", status=409)


async def test_a_job_is_watched_until_it_ends(service: Service) -> None:
    await service.api.call("PUT", "/api/clay/config", {"rate_limit_ms": 20})
    answer = await service.api.push(list(service.lead_ids[:60]))
    response = await service.api.http.get(f"/api/clay/jobs/{answer['job_id']}/events", headers=service.api.headers())
    assert response.headers["content-type"].startswith("text/event-stream")
    snapshots = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert snapshots[-1]["status"] == "completed"
    done = [snapshot["success_count"] for snapshot in snapshots]
    assert done == sorted(done)
    assert 3 <= len(done) <= 12, "one event for each change, at most 4 a second; the push takes about 1.2 s"


async def test_the_csv_file_contains_no_formula(service: Service) -> None:
    lead = service.lead_ids[0]
    name = '=HYPERLINK("http://evil.example.com")'
    await service.host.connection.execute(
        f"UPDATE {service.host.name('leads')} SET full_name = $2 WHERE id = $1", lead, name
    )
    answer = await service.api.push([lead])
    await service.api.finished(answer["job_id"])
    response = await service.api.http.get(f"/api/clay/jobs/{answer['job_id']}/leads.csv", headers=service.api.headers())
    [row] = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
    assert row["full_name"] == "'" + name
    assert row["status"] == "success"


async def test_deliveries_are_listed_in_pages_and_by_status(service: Service) -> None:
    await service.sandbox.faults({"kind": "status", "status": 422, "next": 3})
    answer = await service.api.push(list(service.lead_ids[:25]))
    await service.api.finished(answer["job_id"])
    seen: list[str] = []
    cursor = ""
    while True:
        page = await service.api.call("GET", f"/api/clay/jobs/{answer['job_id']}/leads?limit=10{cursor}")
        seen += [each["lead"]["id"] for each in page["leads"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 25
    failed = await service.api.call("GET", f"/api/clay/jobs/{answer['job_id']}/leads?status=failed&cause=rejected")
    assert len(failed["leads"]) == 3
    await service.api.call("GET", f"/api/clay/jobs/{answer['job_id']}/leads?cursor=nonsense", status=400)


async def test_unknown_deliveries_are_retried_only_on_explicit_request(service: Service) -> None:
    await service.sandbox.faults({"kind": "reset_after", "next": 1}, {"kind": "status", "status": 422, "next": 1})
    answer = await service.api.push(list(service.lead_ids[:4]))
    job = await service.api.finished(answer["job_id"])
    assert (job["failed_count"], job["unknown_count"]) == (2, 1)
    path = f"/api/clay/jobs/{job['id']}/retry"
    first = await service.api.call("POST", path, {})
    assert (await service.api.finished(first["job_id"]))["success_count"] == 1
    second = await service.api.call("POST", path, {"causes": ["unknown"]})
    assert (await service.api.finished(second["job_id"]))["success_count"] == 1
    counts = await service.sandbox.counts()
    assert counts["repeated_leads"] == 1, (
        "Clay stored the lead of the request without a response, so it is sent again only on explicit request"
    )


async def test_the_status_of_clay_has_the_whole_state(service: Service) -> None:
    before = await service.api.call("GET", "/api/clay/status")
    assert (before["configured"], before["connected"], before["last_push"]) == (True, False, None)
    await service.api.finished((await service.api.push(list(service.lead_ids[:4])))["job_id"])
    after = await service.api.call("GET", "/api/clay/status")
    assert after["connected"] is True
    assert after["totals"] == {"pushed": 4, "failed": 0, "skipped": 0, "unknown": 0, "success_rate": 1.0}
    assert (after["quota"]["used"], after["quota"]["remaining"]) == (4, 49_996)
    assert after["destination"]["state"] == "open"
    assert after["last_push"]["success_count"] == 4
    assert service.sandbox.webhook_url() not in json.dumps(after)


@pytest.mark.parametrize("how", ["saved again", "tested", "another pace"])
async def test_waiting_push_jobs_continue_immediately_when_the_settings_change(idle: Service, how: str) -> None:
    """The jobs wait for the webhook or for its next slot, which may be half a minute away."""
    pushed = await idle.api.push(list(idle.lead_ids)[:2])
    if how != "another pace":
        waiting = "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error', outages = 9"
        await idle.host.connection.execute(waiting)
    await idle.host.connection.execute("SET search_path = clay, pg_catalog")  # for procrastinate's trigger
    await idle.host.connection.execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '30 seconds'")
    match how:
        case "saved again":
            await idle.configure()
        case "tested":
            assert (await idle.api.call("POST", "/api/clay/test"))["success"]
        case _:
            await idle.configure(rate_limit_ms=100)
    woken = "SELECT args ->> 'job_id' FROM clay.procrastinate_jobs WHERE status = 'todo' AND scheduled_at IS NULL"
    assert await idle.host.connection.fetchval(woken) == pushed["job_id"]
