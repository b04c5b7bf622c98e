"""The audit log: every action adds a row with its actor and without secrets, and the running role cannot change rows."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from clay_push_service import migrations
from clay_push_service.callers.api_keys import create_key, revoke_key
from clay_push_service.callers.caller import Scope
from clay_push_service.database.database import Database
from tests.harness.roles import Roles
from tests.harness.service import Service, run_service


@pytest.fixture
async def idle(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """An API without a worker, so that queued leads stay queued."""
    async with run_service(database_url, tmp_path, workers=0) as made:
        yield made


async def new_rows(service: Service, after: int) -> Sequence[asyncpg.Record]:
    rows: list[asyncpg.Record] = await service.host.connection.fetch(
        "SELECT * FROM clay.audit_log WHERE id > $1 ORDER BY id", after
    )
    return rows


async def test_every_action_adds_its_row(idle: Service, database: Database) -> None:
    seen: list[asyncpg.Record] = []
    org_id = idle.org_id
    leads = list(idle.lead_ids)

    async def left(*actions: str, actor: str = "user:owner") -> None:
        """Returns the entries since the previous call."""
        rows = await new_rows(idle, seen[-1]["id"] if seen else 0)
        assert [row["action"] for row in rows] == list(actions)
        assert {(row["actor"], row["org_id"]) for row in rows} == {(actor, org_id)}
        seen.extend(rows)

    async def call(method: str, path: str, body: Any = None) -> Any:
        return await idle.api.call(method, f"/api/clay/{path}", body)

    await idle.configure()
    await left("config.changed")
    await call("POST", "test")
    await left("config.tested")
    pushed = await idle.api.push(leads[:3])
    await left("push_job.accepted")
    assert json.loads(seen[-1]["details"])["job_id"] == pushed["job_id"]
    await call("POST", "push-filtered", {"project_id": str(idle.project_id), "filters": {}, "push_mode": "all"})
    await left("push_job.accepted")
    await call("POST", f"jobs/{pushed['job_id']}/cancel")
    await left("push_job.cancelled")
    await idle.host.connection.execute(
        "UPDATE clay.clay_push_log SET status = 'failed', cause = 'rejected' WHERE state = 'done'"
    )
    ids = {"lead_ids": [str(leads[0])]}
    await call("POST", f"jobs/{pushed['job_id']}/retry", ids)
    await left("push_job.retried")
    await call("PUT", f"projects/{idle.project_id}/auto-export", {"enabled": True, "min_score": 70})
    await left("auto_export.changed")
    await call("POST", "erasures", {"lead_ids": [str(leads[1])]})
    await left("leads.erased")
    async with database.transaction() as connection:
        key = await create_key(connection, "nightly", [org_id], {Scope.READ}, "shell:operator")
    await left("api_key.created", actor="shell:operator")
    async with database.transaction() as connection:
        await revoke_key(connection, key.key.prefix, "shell:operator")
    await left("api_key.revoked", actor="shell:operator")
    await call("DELETE", "config")
    await left("config.removed")
    report = " ".join(row["details"] for row in seen)
    for secret in (idle.sandbox.webhook_url(), key.plain, str(leads[0]), str(leads[1])):
        assert secret not in report


async def test_the_running_role_may_only_add_and_read(roles: Roles) -> None:
    runtime = await asyncpg.connect(roles.runtime_url)
    try:
        await runtime.execute("INSERT INTO clay.audit_log (actor, action) VALUES ('user:a', 'config.changed')")
        assert await runtime.fetchval("SELECT count(*) FROM clay.audit_log") == 1
        for change in (
            "UPDATE clay.audit_log SET actor = 'b'", "DELETE FROM clay.audit_log", "TRUNCATE clay.audit_log",
            f"UPDATE clay.alembic_version SET version_num = '{migrations.head()}'",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await runtime.execute(change)
    finally:
        await runtime.close()
