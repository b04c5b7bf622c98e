"""A run after a scan: only new leads that match the rule, once per scan, and a reason if there is none."""

import asyncio
from uuid import UUID, uuid4

import pytest

from tests.automation.project import Project
from tests.harness.api import Api, run_api


async def job_rows(project: Project) -> list[dict[str, object]]:
    rows = await project.api.host.connection.fetch(
        "SELECT *, filters::text AS report FROM clay.push_jobs WHERE push_mode = 'auto' ORDER BY created_at"
    )
    return [dict(row) for row in rows]


async def pushed(project: Project, job_id: object) -> set[UUID]:
    rows = await project.api.host.connection.fetch(
        "SELECT contributor_id FROM clay.clay_push_log WHERE job_id = $1 AND status <> 'skipped'", UUID(str(job_id))
    )
    return {row[0] for row in rows}


async def test_new_leads_that_meet_the_rule_are_pushed_and_no_others(project: Project) -> None:
    await project.configure()
    await project.rule()
    scan = uuid4()
    result = await project.run(scan)
    assert (result["outcome"], result["lead_count"], result["again"]) == ("queued", 2, False)
    assert await pushed(project, result["job_id"]) == {project.best, project.champion}
    [job] = await job_rows(project)
    assert (job["source_job_id"], job["status"], job["created_by"]) == (scan, "pending", "user:member")
    assert job["report"] == '{"min_score": 70.0, "classifications": ["DECISION_MAKER", "CHAMPION"]}'
    await project.api.drain()
    assert set(project.api.receiver.leads) == {str(project.best), str(project.champion)}
    assert set(project.api.receiver.leads.values()) == {1}


async def test_the_same_scan_runs_once_and_later_calls_get_the_first_response(project: Project) -> None:
    await project.configure()
    await project.rule()
    scan = uuid4()
    first = await project.run(scan)
    await project.api.drain()
    await project.api.host.lead(project.id, score=99)
    assert await project.run(scan) == first | {"again": True}
    assert len(await job_rows(project)) == 1


async def test_a_blocked_scan_can_run_later(project: Project) -> None:
    await project.rule()
    scan = uuid4()
    assert (await project.run(scan, 200))["outcome"] == "clay_not_configured"
    await project.configure()
    result = await project.run(scan)
    assert (result["outcome"], result["again"]) == ("queued", False)
    assert (await project.run(scan))["again"] is True
    assert len(await job_rows(project)) == 1


async def test_a_scan_without_new_leads_gets_the_first_response_again(project: Project) -> None:
    await project.configure()
    await project.rule(min_score=100)
    scan = uuid4()
    assert (await project.run(scan, 200))["outcome"] == "nothing_new"
    await project.rule(min_score=None)
    assert (await project.run(scan, 200))["outcome"] == "nothing_new"
    assert (await project.run(uuid4()))["lead_count"] == 4
    assert len(await job_rows(project)) == 1


async def test_twenty_concurrent_calls_for_one_scan_create_one_job(project: Project) -> None:
    await project.configure()
    await project.rule()
    scan = uuid4()
    body = {"source_job_id": str(scan)}
    answers = await asyncio.gather(
        *(project.api.send("POST", f"{project.path}/run", "member", json=body) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert sum(not answer.json()["again"] for answer in answers) == 1
    assert len(await job_rows(project)) == 1


async def test_twenty_concurrent_scans_push_each_lead_once_and_create_no_empty_job(project: Project) -> None:
    await project.configure()
    await project.rule()
    answers = await asyncio.gather(
        *(
            project.api.send("POST", f"{project.path}/run", "member", json={"source_job_id": str(uuid4())})
            for _ in range(20)
        )
    )
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert set(outcomes) <= {"queued", "nothing_new"}
    live = await project.api.host.connection.fetch(
        "SELECT contributor_id FROM clay.clay_push_log WHERE state <> 'done'"
    )
    assert sorted(row[0] for row in live) == sorted([project.best, project.champion])
    assert all(job["lead_count"] != job["skipped_count"] for job in await job_rows(project))


async def test_the_next_scan_pushes_only_newer_leads(project: Project) -> None:
    await project.configure()
    await project.rule(classifications=None)
    await project.run(uuid4())
    await project.api.drain()
    assert (await project.run(uuid4(), 200))["outcome"] == "nothing_new"
    new = await project.api.host.lead(project.id, score=71)
    result = await project.run(uuid4())
    assert await pushed(project, result["job_id"]) == {new}


async def test_a_scan_does_not_send_cancelled_leads_and_a_retry_does(project: Project) -> None:
    await project.configure()
    await project.rule()
    job_id = (await project.run(uuid4()))["job_id"]
    assert (await project.api.send("POST", f"/api/clay/jobs/{job_id}/cancel", "member")).status_code == 200
    assert (await project.run(uuid4(), 200))["outcome"] == "nothing_new"
    preview = (await project.api.get(f"{project.path}/preview", "member")).json()
    by_lead = {lead["id"]: lead["left_out_by"] for lead in preview["leads"]}
    assert by_lead[str(project.best)] == by_lead[str(project.champion)] == "failed_before"
    again = await project.api.send("POST", f"/api/clay/jobs/{job_id}/retry", "member", json={})
    assert await pushed(project, again.json()["job_id"]) == {project.best, project.champion}


async def test_without_a_scan_every_call_runs(project: Project) -> None:
    await project.configure()
    await project.rule()
    assert (await project.run())["lead_count"] == 2
    assert (await project.run(status=200))["outcome"] == "nothing_new"


async def test_a_scan_of_another_project_is_refused(project: Project) -> None:
    await project.configure()
    await project.rule()
    scan = uuid4()
    await project.run(scan)
    other = await project.api.host.project(project.api.org_id, "Other")
    answer = await project.api.send(
        "POST", f"/api/clay/projects/{other}/auto-export/run", "member", json={"source_job_id": str(scan)}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "source_job_reused")


async def test_nothing_is_pushed_while_off_or_not_configured_or_closed(project: Project) -> None:
    assert (await project.run(uuid4(), 200))["outcome"] == "off"
    await project.rule()
    result = await project.run(uuid4(), 200)
    assert result["outcome"] == "clay_not_configured"
    assert result["message"] == "Configure your Clay webhook URL in Settings → Integrations"
    await project.configure()
    await project.api.host.connection.execute(
        "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'"
    )
    assert (await project.run(uuid4(), 200))["outcome"] == "destination_closed"
    assert await job_rows(project) == []


async def test_nothing_is_pushed_for_an_organization_without_access_to_clay(database_url: str) -> None:
    async with run_api(database_url, billing_enabled=True) as app:
        path = f"/api/clay/projects/{await _project_with_a_lead(app)}/auto-export"
        assert (await app.put(path, "owner", {"enabled": True})).status_code == 200
        answer = (await app.send("POST", f"{path}/run", "member", json={})).json()
        assert (answer["outcome"], answer["job_id"]) == ("enterprise_required", None)
        preview = (await app.get(f"{path}/preview", "member")).json()
        assert (preview["blocked"], preview["to_send"]) == ("enterprise_required", 1)


async def _project_with_a_lead(app: Api) -> UUID:
    project_id = await app.host.project(app.org_id)
    await app.host.lead(project_id)
    return project_id


async def test_the_log_shows_why_nothing_was_pushed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    await project.run(uuid4(), 200)
    report = capsys.readouterr()
    [line] = [line for line in (report.out + report.err).splitlines() if "auto_export.ran" in line]
    assert "off" in line
    assert str(project.id) in line


async def test_a_run_stores_changes_of_the_hosts_settings(project: Project) -> None:
    await project.rule()
    await project.api.host.add(
        "org_settings", org_id=project.api.org_id, key="CLAY_WEBHOOK_URL", value=project.api.receiver.url
    )
    assert (await project.run(uuid4()))["outcome"] == "queued"


async def test_preview_names_the_clause_that_excludes_each_other_lead(project: Project) -> None:
    await project.rule()
    preview = (await project.api.get(f"{project.path}/preview", "member")).json()
    assert (preview["blocked"], preview["lead_count"], preview["to_send"]) == ("clay_not_configured", 6, 2)
    assert {each["clause"]: each["count"] for each in preview["left_out"]} == {"min_score": 2, "classification": 2}
    by_lead = {lead["id"]: lead["left_out_by"] for lead in preview["leads"]}
    assert by_lead == {
        str(project.best): None,
        str(project.champion): None,
        str(project.low): "min_score",
        str(project.unscored): "min_score",
        str(project.other_class): "classification",
        str(project.unclassified): "classification",
    }
    assert [lead["id"] for lead in preview["leads"]][:2] == [str(project.best), str(project.champion)]


async def test_the_preview_shows_leads_that_were_pushed(project: Project) -> None:
    await project.configure()
    await project.rule(min_score=None, classifications=None)
    all_leads = [
        project.best, project.champion, project.low, project.unscored, project.other_class, project.unclassified,
    ]  # fmt: skip
    body = {"lead_ids": [str(each) for each in all_leads]}
    answer = await project.api.send("POST", "/api/clay/push", "member", json=body)
    connection = project.api.host.connection
    job_id = UUID(answer.json()["job_id"])
    ends = [
        (project.best, "success", None), (project.champion, "failed", "unknown"), (project.low, "failed", "rejected"),
        (project.unscored, "failed", "network_error"),
    ]  # fmt: skip
    for lead_id, status, cause in ends:
        await connection.execute(
            "UPDATE clay.clay_push_log SET status = $2, cause = $3, state = 'done', finished_at = now()"
            " WHERE contributor_id = $1 AND job_id = $4",
            lead_id, status, cause, job_id,
        )  # fmt: skip
    preview = (await project.api.get(f"{project.path}/preview", "member")).json()
    assert {lead["id"]: lead["left_out_by"] for lead in preview["leads"]} == {
        str(project.best): "already_in_clay",
        str(project.champion): "maybe_in_clay",
        str(project.low): "failed_before",
        str(project.unscored): None,
        str(project.other_class): "already_queued",
        str(project.unclassified): "already_queued",
    }
    result = await project.run(uuid4())
    assert await pushed(project, result["job_id"]) == {project.unscored}


async def test_preview_in_pages_shows_every_lead_once(project: Project) -> None:
    await project.rule()
    await project.api.host.connection.execute(
        f"UPDATE lead_scores SET overall_score = 'NaN' WHERE {project.api.host.name('lead_id')} = $1", project.low
    )
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await project.api.get(f"{project.path}/preview?limit=1{cursor}", "member")).json()
        seen += [lead["id"] for lead in page["leads"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 6
    assert seen[:2] == [str(project.best), str(project.champion)]


@pytest.mark.parametrize("cursor", ["x", "WyJhIiwiYiIsImMiXQ", "WzAsIk5hTiIsIngiXQ", "WzUsIjEiLCJ4Il0"])
async def test_an_invalid_cursor_is_refused(database_url: str, cursor: str) -> None:
    async with run_api(database_url) as app:
        path = f"/api/clay/projects/{await _project_with_a_lead(app)}/auto-export/preview?cursor={cursor}"
        answer = await app.get(path, "member")
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
