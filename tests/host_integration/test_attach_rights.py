"""The rights that `attach` grants are sufficient for all levels, and each right is needed."""

from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.missing import find_missing
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach import attach as attaching
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.inbox.inbox import Inbox
from clay_push_service.host_integration.mirror.mirror import Mirror
from tests.harness.attached import Attached, install_attached
from tests.harness.roles import Roles
from tests.harness.settings import make_local_settings as settings_for


@pytest.mark.parametrize("vintage", list(Vintage))
async def test_the_granted_rights_are_sufficient(database_url: str, roles: Roles, vintage: Vintage) -> None:
    """The service runs as a role with only the printed grants. The host runs as a role without access to schema `clay`."""
    async with install_attached(database_url, None, vintage=vintage, leads=5) as a:
        await a.host.connection.execute(f"GRANT USAGE ON SCHEMA public TO {roles.host}")
        await a.host.connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {roles.host}")
        await a.auto_export_on()
        runtime = Database(roles.runtime_url, pool_size=2)
        host = await asyncpg.connect(roles.host_url)
        try:
            plan = await a.attach(Level.READ, role=roles.runtime)
            assert len(plan.missing) == len(plan.grants)
            await a.host.connection.execute(f"GRANT USAGE ON SCHEMA public TO {roles.runtime}")
            for grant in plan.grants:
                await a.host.connection.execute(grant.statement("public", roles.runtime))
            async with runtime.transaction() as connection:
                tables = await detect(connection)
                assert await find_missing(connection, tables) == []
                rows = await read_lead_rows(
                    connection, tables, a.installation.org_id, a.installation.project_id, a.installation.lead_ids
                )
                assert len(rows) == 5
            async with runtime.transaction() as connection:
                with pytest.raises(Exception, match="permission denied"):
                    await connection.execute(text("UPDATE public.sourcing_jobs SET status = 'failed'"))
            await a.attach(Level.INBOX, role=roles.runtime)
            settings = settings_for(
                roles.runtime_url,
                encryption_keys=a.installation.settings.encryption_keys,
                allowed_webhook_hosts=a.installation.settings.allowed_webhook_hosts,
            )
            mirror, inbox = Mirror(runtime, HostTableCache()), Inbox(runtime, HostTableCache(), settings)
            host_job_id = uuid4()
            await host.execute(
                "INSERT INTO sourcing_jobs (id, project_id, job_type, status, metadata) VALUES ($1, $2, 'clay_push',"
                " 'pending', '{\"push_mode\": \"auto\", \"lead_ids\": []}')",
                host_job_id, a.installation.project_id,
            )  # fmt: skip
            assert await a.status(host_job_id) == "running"
            await inbox.process_due()
            passed = await mirror.run_pass()
            assert passed is not None
            assert (passed.written, passed.failed) == (1, 0)
            await a.installation.drain_all(a.drainer)
            await mirror.run_pass()
            assert await a.status(host_job_id) == "completed"
            assert len(await a.marks()) == 5
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await host.execute("SELECT * FROM clay.inbox")
            assert await _revokes(a, roles.host) == set()
            revokes = await _revokes(a, roles.runtime)
            assert revokes >= {("SELECT", "users"), ("INSERT", "sourcing_jobs"), ("UPDATE", "clay_push_log")}
        finally:
            await runtime.close()
            await host.close()


async def _revokes(a: Attached, role: str) -> set[tuple[str, str]]:
    """Returns the privileges of the role that `detach` revokes."""
    async with a.owner.transaction() as connection:
        _, _, grants = await attaching.detach(connection, await detect(connection), role, dry_run=True)
    return {(grant.privilege, grant.table) for grant in grants}
