"""Tests each line of the feature document's checklist (section 10) against the whole service."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clay_push_service.destinations.read import NOT_CONFIGURED
from clay_push_service.gate import MESSAGE
from tests.harness.service import Service, WorkerProcess, run_service


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with run_service(database_url, tmp_path) as made:
        yield made


async def rows_by_lead(service: Service) -> Counter[str]:
    return Counter(str(row["lead_id"]) for row in await service.sandbox.rows())


async def bodies(service: Service) -> list[Any]:
    return [row["body"] for row in await service.sandbox.rows()]


async def test_clay_webhook_url_can_be_saved_in_org_settings(service: Service) -> None:
    await service.configure()
    config = await service.api.call("GET", "/api/clay/config")
    assert config["table_name"] == "Platform leads"
    assert "••••" in config["webhook_url"]
    stored = await service.host.connection.fetch("SELECT sealed_url FROM clay.destination_versions")
    assert len(stored) == 1
    assert service.sandbox.webhook_url().encode() not in stored[0][0], "the stored URL must be encrypted"
    await service.api.call("PUT", "/api/clay/config", {"webhook_url": config["webhook_url"]})
    assert await service.host.connection.fetchval("SELECT count(*) FROM clay.destination_versions") == 1


async def test_test_webhook_sends_sample_payload_and_reports_success_or_failure(service: Service) -> None:
    await service.configure()
    good = await service.api.call("POST", "/api/clay/test")
    assert (good["success"], good["clay_response_status"]) == (True, 200)
    [body] = await bodies(service)
    assert body["github_username"] == "nexusleads-test"
    await service.sandbox.faults({"kind": "status", "status": 404})
    bad = await service.api.call("POST", "/api/clay/test")
    assert (bad["success"], bad["clay_response_status"], bad["cause"]) == (False, 404, "webhook_gone")
    assert bad["remedy"]


async def test_single_lead_push_creates_a_clay_push_job(service: Service) -> None:
    await service.configure()
    lead = service.lead_ids[0]
    answer = await service.api.push([lead])
    assert (answer["lead_count"], answer["message"]) == (1, "Clay push job queued")
    job = await service.api.finished(answer["job_id"])
    assert (job["job_type"], job["push_mode"], job["status"]) == ("clay_push", "selected", "completed")
    assert await rows_by_lead(service) == {str(lead): 1}


async def test_bulk_lead_push_creates_a_clay_push_job_with_all_selected_leads(service: Service) -> None:
    await service.configure()
    leads = list(service.lead_ids[:60])
    job = await service.api.finished((await service.api.push(leads))["job_id"])
    assert job["success_count"] == 60
    assert await rows_by_lead(service) == dict.fromkeys(map(str, leads), 1)


async def test_job_progress_updates_correctly(service: Service) -> None:
    await service.configure(rate_limit_ms=20)
    answer = await service.api.push(list(service.lead_ids[:100]))
    seen = []
    while True:
        job = await service.api.call("GET", f"/api/clay/jobs/{answer['job_id']}")
        assert (
            job["lead_count"]
            == 100
            == sum(job[f"{each}_count"] for each in ("success", "failed", "skipped", "pending"))
        )
        seen.append(job["success_count"])
        assert job["progress"] == f"Pushed {job['success_count']} of 100 leads to Clay"
        if job["status"] == "completed":
            break
        await asyncio.sleep(0.1)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "progress must be visible while the job runs"
    assert [step["status"] for step in job["steps"]] == ["completed"] * 3


async def test_failed_pushes_are_logged_with_error_details(service: Service) -> None:
    await service.configure()
    await service.sandbox.faults({"kind": "status", "status": 422, "next": 1})
    job = await service.api.finished((await service.api.push(list(service.lead_ids[:3])))["job_id"])
    leads = await service.api.call("GET", f"/api/clay/jobs/{job['id']}/leads?status=failed")
    [failed] = leads["leads"]
    assert (failed["cause"], failed["clay_response_status"], failed["attempts"]) == ("rejected", 422, 1)
    assert failed["error_message"]
    assert failed["lead"]["username"]
    [cause] = job["causes"]
    assert (cause["cause"], cause["count"]) == ("rejected", 1)
    assert cause["remedy"]
    assert cause["who"]


async def test_retries_work_for_5xx_errors(service: Service) -> None:
    await service.configure()
    await service.sandbox.faults({"kind": "status", "status": 503, "next": 3})
    lead = service.lead_ids[0]
    job = await service.api.finished((await service.api.push([lead]))["job_id"])
    [delivery] = (await service.api.call("GET", f"/api/clay/jobs/{job['id']}/leads"))["leads"]
    assert (delivery["status"], delivery["attempts"]) == ("success", 4)
    assert await rows_by_lead(service) == {str(lead): 1}


async def test_rate_limiting_is_respected(database_url: str, tmp_path: Path) -> None:
    """At a pace of 100 ms, Clay's limit of 10 per second with a burst of 20 refuses no lead."""
    async with run_service(database_url, tmp_path, sandbox_rate="10") as service:
        await service.configure(rate_limit_ms=100)
        job = await service.api.finished((await service.api.push(list(service.lead_ids[:40])))["job_id"])
        assert job["success_count"] == 40
        arrivals = await service.sandbox.arrivals()
        assert [each["status"] for each in arrivals] == [200] * 40
        seconds = (arrivals[-1]["monotonic_ns"] - arrivals[0]["monotonic_ns"]) / 1e9
        assert seconds >= 39 * 0.1 * 0.97


async def test_rate_limited_by_clay_backs_off_and_loses_nothing(database_url: str, tmp_path: Path) -> None:
    """Section 8: back off, increase delay, retry. A push without a pace against a limit of 10 per second delivers all leads."""
    async with run_service(database_url, tmp_path, sandbox_rate="10") as service:
        await service.configure(rate_limit_ms=0)
        job = await service.api.finished((await service.api.push(list(service.lead_ids[:60])))["job_id"])
        assert (job["status"], job["success_count"]) == ("completed", 60)
        assert set((await rows_by_lead(service)).values()) == {1}
        assert (await service.sandbox.counts())["refused"]["rate_limited"] > 0


async def test_duplicate_detection_works(service: Service) -> None:
    await service.configure()
    leads = list(service.lead_ids[:5])
    await service.api.finished((await service.api.push(leads))["job_id"])
    page = await service.api.call("GET", f"/api/clay/leads?project_id={service.project_id}&limit=200")
    states = {lead["id"]: lead["clay"]["state"] for lead in page["leads"]}
    assert {states[str(lead)] for lead in leads} == {"in_clay"}
    assert Counter(states.values())["never"] == 195
    again = await service.api.push(leads)
    assert (again["lead_count"], again["skipped_count"]) == (5, 5)
    job = await service.api.finished(again["job_id"])
    assert (job["status"], job["success_count"]) == ("completed", 0)
    assert "already" in job["summary"].lower()
    assert len(await service.sandbox.rows()) == 5


async def test_re_push_option_works_for_previously_pushed_leads(service: Service) -> None:
    await service.configure()
    leads = list(service.lead_ids[:2])
    await service.api.finished((await service.api.push(leads))["job_id"])
    await service.api.finished((await service.api.push(leads, push_again=True))["job_id"])
    assert await rows_by_lead(service) == dict.fromkeys(map(str, leads), 2)


async def test_billing_disabled_makes_clay_available_to_all(service: Service) -> None:
    for user in ("member", "other_owner"):
        assert (await service.api.call("GET", "/api/clay/status", who=user))["available"] is True


async def test_billing_enabled_and_not_enterprise_is_gated_with_upgrade_prompt(
    database_url: str, tmp_path: Path
) -> None:
    async with run_service(database_url, tmp_path, billing_enabled=True, workers=0) as service:
        status = await service.api.call("GET", "/api/clay/status", who="other_owner")
        assert status["available"] is False
        assert status["gate"]["code"] == "enterprise_required"
        lead = await service.host.lead(await service.host.project(service.other_org_id))
        body = {"lead_ids": [str(lead)]}
        refused = await service.api.call("POST", "/api/clay/push", body, who="other_owner", status=403)
        assert (refused["code"], refused["detail"]) == ("enterprise_required", MESSAGE)
        assert await service.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs") == 0


async def test_billing_enabled_and_enterprise_makes_clay_available(database_url: str, tmp_path: Path) -> None:
    async with run_service(database_url, tmp_path, billing_enabled=True) as service:
        await service.configure()
        assert (await service.api.call("GET", "/api/clay/status"))["available"] is True
        job = await service.api.finished((await service.api.push(list(service.lead_ids[:2])))["job_id"])
        assert job["success_count"] == 2


async def test_a_plan_that_ended_while_the_job_was_queued_sends_nothing(database_url: str, tmp_path: Path) -> None:
    async with run_service(database_url, tmp_path, billing_enabled=True, workers=0) as service:
        await service.configure()
        answer = await service.api.push(list(service.lead_ids[:2]))
        await service.host.connection.execute("UPDATE org_billing SET is_enterprise = false")
        service.workers.append(WorkerProcess(service.settings, tmp_path / "worker.log"))
        await service.workers[0].start()
        job = await service.api.finished(answer["job_id"])
        assert (job["status"], job["causes"][0]["cause"]) == ("failed", "not_available")
        assert await service.sandbox.rows() == []


async def test_clay_not_configured_gives_the_setup_prompt_instead_of_a_push(service: Service) -> None:
    body = {"lead_ids": [str(service.lead_ids[0])]}
    refused = await service.api.call("POST", "/api/clay/push", body, status=409)
    assert (refused["code"], refused["detail"]) == ("clay_not_configured", NOT_CONFIGURED)


async def test_job_appears_in_the_jobs_list_with_correct_type_and_progress(service: Service) -> None:
    await service.configure()
    answer = await service.api.push(list(service.lead_ids[:3]))
    await service.api.finished(answer["job_id"])
    [job] = (await service.api.call("GET", "/api/clay/jobs"))["jobs"]
    assert (job["id"], job["job_type"]) == (answer["job_id"], "clay_push")
    assert (job["progress"], job["progress_percent"]) == ("Pushed 3 of 3 leads to Clay", 100.0)
    assert job["project"]["name"] == "Platform Leads"
    assert job["created_by"] == "user:owner"


async def test_partial_failures_complete_the_job_with_warnings(service: Service) -> None:
    await service.configure()
    await service.sandbox.faults({"kind": "status", "status": 400, "next": 2})
    job = await service.api.finished((await service.api.push(list(service.lead_ids[:6])))["job_id"])
    assert (job["status"], job["success_count"], job["failed_count"]) == ("completed", 4, 2)
    assert job["warnings"] == ["2 leads failed."]
    retried = await service.api.call("POST", f"/api/clay/jobs/{job['id']}/retry", {})
    again = await service.api.finished(retried["job_id"])
    assert (again["push_mode"], again["retry_of"], again["success_count"]) == ("retry", job["id"], 2)
    assert set((await rows_by_lead(service)).values()) == {1}


async def test_all_leads_failing_fails_the_job_with_a_summary(service: Service) -> None:
    await service.configure()
    await service.sandbox.faults({"kind": "status", "status": 400})
    job = await service.api.finished((await service.api.push(list(service.lead_ids[:3])))["job_id"])
    assert job["status"] == "failed"
    assert job["summary"].startswith("0 pushed, 3 failed, 0 skipped.")


async def test_the_payload_has_exactly_the_fields_of_the_document(service: Service) -> None:
    """The payload has every key of section 3.2 in the same order. `_meta` also has `delivery_id`."""
    await service.configure()
    await service.api.finished((await service.api.push(list(service.lead_ids[:20])))["job_id"])
    keys = [
        "_meta", "github_username", "full_name", "email", "github_url", "avatar_url", "company", "location", "bio",
        "public_repos", "followers", "following", "linkedin_url", "linkedin_headline", "current_company",
        "current_position", "position_level", "industry", "years_of_experience", "skills", "classification",
        "classification_confidence", "classification_reasoning", "overall_score", "activity_score", "influence_score",
        "position_score", "engagement_score", "priority", "is_qualified_lead", "raw_github_stats",
    ]  # fmt: skip
    for body in await bodies(service):
        assert list(body) == keys
        assert list(body["_meta"]) == [
            "source", "nexusleads_project", "nexusleads_project_id", "nexusleads_repository",
            "nexusleads_repository_id", "nexusleads_contributor_id", "pushed_at", "delivery_id",
        ]  # fmt: skip
        assert body["_meta"]["source"] == "nexusleads"
