"""Prepares workers, due leads and destinations of an instance, and reads its status."""

from uuid import uuid4

from sqlalchemy import text

from tests.harness.api import WEBHOOK, Api


async def run(app: Api, *statements: str) -> None:
    """Run a statement as the owner of the database."""
    async with app.owner.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement), {"org": app.org_id})


async def worker(app: Api, seconds_ago: int = 1) -> None:
    await run(
        app,
        "INSERT INTO clay.workers (id, hostname, pid, version, seen_at)"
        f" VALUES (gen_random_uuid(), 'box-1', 4711, '0.1.0', now() - interval '{seconds_ago} s')",
    )


async def due_leads(app: Api, minutes_ago: int = 5) -> None:
    await app.put("/api/clay/config", "owner", {"webhook_url": WEBHOOK, "table_name": "<b>Inbound</b>"})
    job = uuid4()
    await run(
        app,
        f"UPDATE clay.workspaces SET next_slot_at = now() - interval '{minutes_ago} min' WHERE org_id = :org",
        "INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, lead_count,"
        f" created_at) SELECT '{job}', org_id, gen_random_uuid(), id, version_id, 1, 'selected', 3, now() - interval"
        f" '{minutes_ago} min' FROM clay.destinations WHERE org_id = :org",
        "INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, due_at)"
        f" SELECT :org, '{job}', gen_random_uuid(), gen_random_uuid(), id, 1, now() - interval '{minutes_ago} min'"
        " FROM clay.destinations, generate_series(1, 3) WHERE org_id = :org",
    )


async def status(app: Api, code: int = 200) -> dict[str, object]:
    answer = await app.get("/status")
    assert answer.status_code == code, answer.text
    report: dict[str, object] = answer.json()
    return report


async def more_destinations(app: Api, number: int, state: str, reason: str, hours_ago: int) -> None:
    """Add destinations of further organizations."""
    await run(
        app,
        "CREATE TEMPORARY TABLE made AS SELECT gen_random_uuid() AS org, gen_random_uuid() AS destination,"
        f" gen_random_uuid() AS version, gen_random_uuid() AS workspace, gen_random_uuid() AS meter FROM generate_series(1, {number})",
        "INSERT INTO clay.workspaces (id, org_id) SELECT workspace, org FROM made",
        "INSERT INTO clay.quota_meters (id, org_id) SELECT meter, org FROM made",
        "INSERT INTO clay.destinations (id, org_id, workspace_id) SELECT destination, org, workspace FROM made",
        "INSERT INTO clay.destination_versions (id, org_id, destination_id, number, sealed_url, url_mask, source, state, state_reason,"
        f" state_since, meter_id) SELECT version, org, destination, 1, 'sealed', 'masked', 'api', '{state}', '{reason}',"
        f" now() - interval '{hours_ago} h', meter FROM made",
        "UPDATE clay.destinations SET version_id = made.version FROM made WHERE id = made.destination",
        "DROP TABLE made",
    )
