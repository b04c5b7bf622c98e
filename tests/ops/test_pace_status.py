"""/status shows why leads wait and names the slowest workspace."""

import pytest

from tests.harness.api import Api
from tests.ops.instance import due_leads, status, worker

SERVED = "UPDATE clay.workspaces SET served_by = gen_random_uuid(), served_until = now() + interval '1 minute', rate_limit_ms = 200"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE clay.push_jobs SET status = 'pending', started_at = NULL", "queue"),
        (SERVED, "pace"),
        ("UPDATE clay.workspaces SET rate_limit_ms = 0", "sending"),
        (
            "UPDATE clay.workspaces SET throttled_at = now(), throttled_ms = 200, next_slot_at = now() + interval '1 minute'",
            "clay_limit",
        ),
        (
            "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error', probe_at = now()",
            "outage",
        ),
    ],
)
async def test_status_counts_leads_by_the_reason_that_they_wait_for(app: Api, change: str, reason: str) -> None:
    await worker(app)
    await due_leads(app)
    await app.installation.fetch("UPDATE clay.push_jobs SET status = 'running', started_at = now()")
    await app.installation.fetch(change)
    pace = (await status(app))["pace"]
    assert isinstance(pace, dict)
    assert {each["reason"]: each["leads"] for each in pace["waiting"] if each["leads"]} == {reason: 3}


async def test_status_names_the_workspace_whose_push_job_has_waited_longest(app: Api) -> None:
    await worker(app)
    await due_leads(app)
    await app.installation.fetch(
        "UPDATE clay.push_jobs SET status = 'running', started_at = now(), turn_at = now() - interval '90 seconds'"
    )
    pace = (await status(app))["pace"]
    assert isinstance(pace, dict)
    assert (pace["served_workspaces"], pace["slowest"]) == (0, None)
    await app.installation.fetch(SERVED)
    pace = (await status(app))["pace"]
    assert isinstance(pace, dict)
    assert pace["served_workspaces"] == 1
    slowest = pace["slowest"]
    assert slowest["organization"] == "Acme"
    assert 90 <= slowest["waited_seconds"] < 300
    assert (slowest["rate_limit_ms"], slowest["running_jobs"]) == (200, 1)
