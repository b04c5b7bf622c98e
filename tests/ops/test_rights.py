"""`/readyz` and `/status` notice rights that the running role lacks before a request fails for want of them."""

import pytest

from clay_push_service.host_integration.attach.attachment import Level
from tests.harness.api import run_api
from tests.harness.runtime import runtime_role


@pytest.mark.parametrize(
    ("table", "column"),
    [("users", "is_active"), ("org_members", "role"), ("lead_scores", "priority"), ("org_billing", "is_enterprise")],
)
async def test_a_column_that_may_not_be_read_makes_it_not_ready(database_url: str, table: str, column: str) -> None:
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


async def test_billing_that_is_off_needs_no_right_on_its_table(database_url: str) -> None:
    async with run_api(database_url, billing_enabled=False) as app:
        await app.host.connection.execute(f'REVOKE ALL ON org_billing FROM "{runtime_role()}"')
        assert (await app.get("/readyz")).status_code == 200


async def test_a_right_to_write_that_is_lacking_is_advice(database_url: str) -> None:
    """Requests are answered without it: taking the instance out of service would help nothing."""
    async with run_api(database_url, ops_open=True) as app:
        await app.host.attach(Level.MIRROR)
        await app.host.connection.execute(f'REVOKE UPDATE (status) ON sourcing_jobs FROM "{runtime_role()}"')
        assert (await app.get("/readyz")).status_code == 200
        said = [each["what"] for each in (await app.get("/status")).json()["advice"]]
        assert f"Role {runtime_role()} may not UPDATE status of public.sourcing_jobs." in said
