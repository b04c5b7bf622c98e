"""`/readyz` and `/status` report missing rights of the running role before a request fails."""

import pytest

from clay_push_service.host_integration.attach.attachment import Level
from tests.harness.api import run_api
from tests.harness.runtime import runtime_role


@pytest.mark.parametrize(
    ("table", "column"),
    [("users", "is_active"), ("org_members", "role"), ("lead_scores", "priority"), ("org_billing", "is_enterprise")],
)
async def test_an_unreadable_column_makes_the_instance_not_ready(database_url: str, table: str, column: str) -> None:
    async with run_api(database_url, billing_enabled=True, ops_open=True) as app:
        assert (await app.get("/readyz")).status_code == 200
        await app.host.connection.execute(f'REVOKE SELECT ({column}) ON {table} FROM "{runtime_role()}"')
        answer = await app.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "NexusLeads' tables" in answer.json()["detail"]
        status = await app.get("/status")
        assert status.status_code == 503
        assert "clay-push attach" in status.text
        await app.host.connection.execute(f'GRANT SELECT ({column}) ON {table} TO "{runtime_role()}"')
        assert (await app.get("/readyz")).status_code == 200


async def test_no_right_on_the_billing_table_is_needed_if_billing_is_off(database_url: str) -> None:
    async with run_api(database_url, billing_enabled=False) as app:
        await app.host.connection.execute(f'REVOKE ALL ON org_billing FROM "{runtime_role()}"')
        assert (await app.get("/readyz")).status_code == 200


async def test_a_missing_write_right_gives_advice(database_url: str) -> None:
    """Requests succeed without this right, so the instance stays ready."""
    async with run_api(database_url, ops_open=True) as app:
        await app.host.attach(Level.MIRROR)
        await app.host.connection.execute(f'REVOKE UPDATE (status) ON sourcing_jobs FROM "{runtime_role()}"')
        assert (await app.get("/readyz")).status_code == 200
        shown = [each["what"] for each in (await app.get("/status")).json()["advice"]]
        assert f"Role {runtime_role()} may not UPDATE status of public.sourcing_jobs." in shown
