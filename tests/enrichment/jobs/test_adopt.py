"""Held runs: none is started a second time; with the webhook of finished runs all are adopted, without it all expire."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clay_push_service.enrichment.runs import reports
from clay_push_service.enrichment.runs.receive_report import is_signed, read_run_id
from clay_push_service.errors import InvalidError
from tests.enrichment.jobs.enriching import WEBHOOK_SECRET, Enriching, enriching
from tests.support.sandbox import Json

FEW, MANY = 15, 100
LOST: list[dict[str, Json]] = [{"kind": "stall", "store": True}]
"""Clay accepts the run and does not respond."""


@pytest.fixture
async def ready(database_url: str, tmp_path: Path) -> AsyncIterator[Enriching]:
    async with enriching(database_url, tmp_path, leads=3) as app:
        await app.watch_runs()
        yield app


async def lose_a_start(app: Enriching) -> str:
    """Clay runs the leads, and its response is lost. Returns the job."""
    await app.plan(faults={"run": {"rules": [{"kind": "reset_after", "next": 1}]}})
    job = await app.enrich()
    await app.start()
    return str(job["job_id"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("starts", [FEW, pytest.param(MANY, marks=pytest.mark.faults)])
@pytest.mark.parametrize("reports", [True, False], ids=["with_webhook", "without_webhook"])
async def test_starts_that_time_out_after_clay_accepted_them_are_never_repeated(
    database_url: str, tmp_path: Path, *, reports: bool, starts: int
) -> None:
    async with enriching(database_url, tmp_path, leads=starts, request_timeout_seconds=1.0) as app:
        await app.watch_runs()
        await app.plan(faults={"run": {"rules": list(LOST)}})
        jobs = []
        for lead_id in app.lead_ids:
            jobs.append((await app.enrich([lead_id]))["job_id"])
            await app.start()
        assert len(await app.clay_runs()) == starts
        assert {run.state for run in await app.runs()} == {"held"}
        await app.plan()
        for _ in range(3):
            assert await app.start() is None, "a held run is never started again"
            await app.sweep()
        if reports:
            for run in await app.clay_runs():
                await app.report(run["id"])
            adopted = 0
            while (now := await app.adopt()) > 0:
                adopted += now
            assert adopted == starts
        else:
            await app.expire_deadlines(hours=25)
            await app.sweep()
        rows = await app.api.installation.fetch(
            "SELECT outcome, cause, count(*) FROM clay.enrichment_items GROUP BY 1, 2"
        )
        expected = ("found", None, starts) if reports else ("expired", "held", starts)
        assert [tuple(row) for row in rows] == [expected]
        clay = await app.clay()
        assert (clay["items"], clay["repeated_items"], clay["requests"]["run"]) == (starts, 0, starts)
        await app.check_totals()


async def test_a_reported_run_is_adopted_with_its_values(ready: Enriching) -> None:
    job_id = await lose_a_start(ready)
    [run] = await ready.clay_runs()
    assert (await ready.report(run["id"])) == {"received": True, "named_run": True}
    await ready.report(run["id"])
    assert await ready.adopt() == 1
    assert await ready.adopt() == 0, "a report has one effect"
    assert await ready.outcomes(job_id) == {("found", None): 3}
    assert await ready.value(ready.lead_ids[0]) == "ada.number0@example.com"
    [mine] = await ready.runs()
    assert (mine.state, mine.clay_run_id) == ("ended", run["id"])


async def test_a_run_of_another_client_is_not_adopted(ready: Enriching) -> None:
    job_id = await lose_a_start(ready)
    sent = {"items": [{"id": "somebody-elses", "inputs": {}}]}
    headers = {"clay-api-key": "any"}
    foreign = (await ready.sandbox.admin.post("/public/v0/routines/email/run", json=sent, headers=headers)).json()
    await ready.report(foreign["routine_run_id"])
    await ready.report("rr_unknown")
    assert await ready.adopt() == 0
    rows = await ready.api.installation.fetch("SELECT DISTINCT state FROM clay.enrichment_run_reports")
    assert [row.state for row in rows] == ["unrelated"]
    assert [each["state"] for each in await ready.items(job_id)] == ["held"] * 3


async def test_reports_of_other_clients_do_not_use_up_the_limit(
    ready: Enriching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a start that is held or in flight, a report belongs to another client of the workspace."""
    monkeypatch.setattr(reports, "MOST_WAITING", 1)
    await ready.report("rr_of_another_client")
    job_id = await lose_a_start(ready)
    [run] = await ready.clay_runs()
    await ready.report(run["id"])
    assert await ready.adopt() == 1
    assert await ready.outcomes(job_id) == {("found", None): 3}


async def test_the_report_of_a_known_run_makes_its_poll_due(ready: Enriching) -> None:
    await ready.plan(run_seconds=60)
    await ready.enrich()
    await ready.start()
    [run] = await ready.runs()
    await ready.report(run.clay_run_id)
    [row] = await ready.api.installation.fetch("SELECT next_poll_at <= now() AS due FROM clay.enrichment_runs")
    assert row.due
    assert await ready.adopt() == 0


async def test_a_run_is_found_while_its_start_is_still_in_flight(ready: Enriching) -> None:
    job_id = await lose_a_start(ready)
    await ready.api.installation.fetch("""
        UPDATE clay.enrichment_runs SET state = 'starting', claim_token = gen_random_uuid(), lease_until = now() + interval '1 hour'""")
    await ready.api.installation.fetch("UPDATE clay.enrichment_items SET state = 'starting', deadline_at = NULL")
    [run] = await ready.clay_runs()
    await ready.report(run["id"])
    assert await ready.adopt() == 1
    assert await ready.outcomes(job_id) == {("found", None): 3}


async def test_only_signed_events_are_accepted(ready: Enriching) -> None:
    await ready.report("rr_1", secret="another", status=401)
    path = ready.report_path
    ready.report_path = path[:-36] + "00000000-0000-4000-8000-000000000000"
    await ready.report("rr_1", status=401)
    ready.report_path = path
    await ready.report_body(b"[]", status=422)
    assert await ready.report_body(b'{"webhookId": "wh_1", "data": {}}') == {"received": True, "named_run": False}
    assert await ready.api.installation.fetch("SELECT 1 FROM clay.enrichment_run_reports") == []
    await ready.save(run_webhook=None)
    await ready.report("rr_1", status=401)


def test_a_signature_depends_on_the_whole_body_and_the_secret() -> None:
    body = json.dumps({"data": {"routine_run_id": "rr_1"}}).encode()
    good = "sha256=9e0"
    assert not is_signed(body, WEBHOOK_SECRET.encode(), good)
    assert not is_signed(body, None, "")
    assert not is_signed(body, b"", "sha256=")
    assert read_run_id(body) == "rr_1"
    for named in (b'{"data": {"routine_run_id": 5}}', b'{"data": {"routine_run_id": ".."}}', b'{"data": {}}'):
        assert read_run_id(named) is None
    for bad in (b"", b"[]", b'{"data": []}'):
        with pytest.raises(InvalidError):
            read_run_id(bad)
