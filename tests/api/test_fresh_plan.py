"""A migration of NexusLeads or of this service changes the type of a column while the service runs: requests still succeed."""

import json
import logging
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from clay_push_service.host.columns import Vintage
from tests.harness.api import Api, run_api_with_leads

CHANGES = (
    "ALTER TABLE users ALTER COLUMN username TYPE varchar(300)",
    "ALTER TABLE users ALTER COLUMN email TYPE varchar(300)",
    "ALTER TABLE organizations ALTER COLUMN name TYPE varchar(300)",
    "ALTER TABLE projects ALTER COLUMN name TYPE varchar(300)",
    "ALTER TABLE members ALTER COLUMN full_name TYPE varchar(300)",
    "ALTER TABLE members ALTER COLUMN email TYPE varchar(300)",
    "ALTER TABLE lead_scores ALTER COLUMN overall_score TYPE numeric(9,3)",
    "ALTER TABLE org_settings ALTER COLUMN key TYPE varchar(300)",
    "ALTER TABLE clay.destinations ALTER COLUMN table_name TYPE varchar(300)",
    "ALTER TABLE clay.destination_versions ALTER COLUMN url_mask TYPE varchar(3000)",
    "ALTER TABLE clay.push_jobs ALTER COLUMN requested_by TYPE varchar(300)",
    "ALTER TABLE clay.clay_push_log ALTER COLUMN error_message TYPE varchar(3000)",
)


REPEATED = {"request.repeated", "database.plan_stale", "host.detected_again"}
"""Log events of a request or transaction that is repeated with new plans."""
Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """Captures log lines, independent of the logging that earlier tests configured."""
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as captured:
        yield captured


def events(lines: Lines) -> set[str]:
    return {line["event"] for line in lines}


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, vintage=Vintage.TODAY, database_pool_size=2) as made:
        yield made


async def migrate(running: Api, *, callers: bool = True, width: int = 300) -> int:
    """Change the types of the columns above. With `callers`, also of columns that authentication reads. Returns the number of changes."""
    changed = 0
    for statement in CHANGES:
        if not callers and " users " in statement:
            continue
        _, _, table, _, _, column, *_ = statement.split()
        schema, _, name = table.rpartition(".")
        there = await running.host.connection.fetchval(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2"
            " AND column_name = $3",
            schema or "public", name, column,
        )  # fmt: skip
        if there:
            await running.host.connection.execute(statement.replace("varchar(300", f"varchar({width}"))
            changed += 1
    return changed


async def test_responses_are_unchanged_after_a_migration(running: Api, lines: Lines) -> None:
    job_id = await running.push_and_drain(running.lead_ids[:1])
    reads = [
        "/api/clay/config",
        "/api/clay/status",
        f"/api/clay/leads?project_id={running.project_id}",
        f"/api/clay/jobs/{job_id['id']}",
        f"/api/clay/jobs/{job_id['id']}/leads",
        "/api/clay/jobs",
        "/api/integrations/status",
    ]

    async def all_of_them() -> list[Any]:
        return [await running.call("GET", path) for path in reads]

    for _ in range(6):  # on both connections of the pool
        await all_of_them()
    before = await all_of_them()
    assert await migrate(running, callers=False) >= 6
    after = await all_of_them()
    assert json.dumps(after, default=str) == json.dumps(before, default=str)
    assert events(lines) & REPEATED, "no plan was stale, so nothing was tested"


async def test_a_push_in_a_repeated_request_is_queued_once(running: Api, lines: Lines) -> None:
    """The test repeats the request until a plan was stale, because a connection may have no plan yet."""
    for width in range(300, 305):
        for _ in range(6):  # makes each connection of the pool create its plans
            await running.call("POST", "/api/clay/preview", {"project_id": str(running.project_id)})
            await running.push_and_drain(running.lead_ids[:1], push_again=True)
        await migrate(running, callers=False, width=width)
        lines.clear()
        before = len((await running.call("GET", "/api/clay/jobs?limit=100"))["jobs"])
        job_id = await running.queue(running.lead_ids[1:], push_again=True)
        is_repeated = "request.repeated" in events(lines)
        jobs = (await running.call("GET", "/api/clay/jobs?limit=100"))["jobs"]
        assert len(jobs) == before + 1
        await running.drain()
        assert (await running.job(job_id))["success_count"] == len(running.lead_ids) - 1
        if is_repeated:
            return
    pytest.fail("no plan was stale, so nothing was tested")


async def test_a_test_row_is_sent_once(running: Api) -> None:
    for _ in range(2):
        assert (await running.call("POST", "/api/clay/test"))["success"]
    sent = len(running.receiver.posts)
    await migrate(running)
    assert (await running.call("POST", "/api/clay/test"))["success"]
    assert len(running.receiver.posts) == sent + 1


async def test_a_csv_file_of_deliveries_is_complete_after_a_migration(running: Api) -> None:
    job = await running.push_and_drain()
    path = f"/api/clay/jobs/{job['id']}/leads.csv"
    for _ in range(2):
        await running.get(path, "owner")
    before = (await running.get(path, "owner")).text
    await migrate(running)
    answer = await running.get(path, "owner")
    assert (answer.status_code, answer.text) == (200, before)
