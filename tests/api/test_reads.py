"""A read changes nothing: GET routes and the preview change and lock no row of schema `clay`."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import text

from clay_push_service.callers.caller import Scope
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api
from tests.harness.routes import Ids, Route, furnish, routes

UNSEEN: Mapping[str, Mapping[str, str | None]] = {
    "another webhook": {"CLAY_WEBHOOK_URL": f"{OTHER_WEBHOOK}1"},
    "a removed webhook": {"CLAY_WEBHOOK_URL": None},
    "the present webhook again": {"CLAY_WEBHOOK_URL": WEBHOOK},
    "a webhook that the guard refuses": {"CLAY_WEBHOOK_URL": "https://evil.example/x"},
    "another table name and pace": {"CLAY_TABLE_NAME": "Renamed", "CLAY_RATE_LIMIT_MS": "350"},
}
"""Changes on the host's settings page that no sweep has stored yet."""


@dataclass(frozen=True, slots=True)
class Reader:
    app: Api
    ids: Ids
    new_org_id: UUID
    """An organization of the user `newcomer` without a destination. The host's settings page has a webhook for it."""
    reads: Mapping[str, Route]

    async def state(self) -> list[str]:
        """Returns all rows of schema `clay` with the system columns that a lock or an update changes."""
        lines: list[str] = []
        async with self.app.owner.transaction() as connection:
            tables = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'clay'"))
            for table in sorted(tables.scalars()):
                rows = await connection.execute(
                    text(f'SELECT concat(ctid, xmin, xmax, CAST(t AS text)) FROM clay."{table}" AS t')
                )
                lines += [f"{table}: {row}" for row in rows.scalars()]
        return lines


@pytest.fixture
async def reader(database_url: str) -> AsyncIterator[Reader]:
    """An API with a pending webhook change. All jobs are finished, so that event streams end and `/status` gives 200 without a worker."""
    async with run_api(database_url, ops_open=True) as app:
        own, other = await furnish(app, app.org_id, "owner"), await furnish(app, app.other_org_id, "other_owner")
        for ids, owner in ((own, "owner"), (other, "other_owner")):
            for job in (f"jobs/{ids.job_id}", f"enrichment/jobs/{ids.enrichment_job_id}"):
                assert (await app.send("POST", f"/api/clay/{job}/cancel", owner, ids.org_id)).status_code == 200
        new_org_id = await app.host.organization("New")
        await app.host.member(new_org_id, "newcomer", "owner")
        await app.host.add("org_settings", org_id=new_org_id, key="CLAY_WEBHOOK_URL", value=WEBHOOK)
        known = routes(own, other)
        reads = {name: route for name, route in known.items() if route.method == "GET" or name == "preview"}
        yield Reader(app, own, new_org_id, reads)


@pytest.mark.parametrize("unseen", UNSEEN)
async def test_reads_change_no_row_and_lock_none(reader: Reader, unseen: str) -> None:
    app = reader.app
    for key, value in UNSEEN[unseen].items():
        await app.host.connection.execute("DELETE FROM org_settings WHERE org_id = $1 AND key = $2", app.org_id, key)
        if value is not None:
            await app.host.add("org_settings", org_id=app.org_id, key=key, value=value)
    before = await reader.state()
    assert any(line.startswith("pending_webhooks") for line in before)
    for name, route in reader.reads.items():
        answer = await app.send(route.method, route.own.path, "owner", app.org_id, route.own.body)
        assert answer.status_code == 200, (name, answer.text)
        assert await reader.state() == before, name
    assert await app.sweep_host_settings() == 2, "the sweep must store the change and the new organization's webhook"


async def test_reads_of_an_organization_without_a_destination_create_none(reader: Reader) -> None:
    before = await reader.state()
    called = 0
    for name, route in reader.reads.items():
        if route.scope in {Scope.READ, Scope.CONFIG} and "{" not in route.template and not route.foreign:
            answer = await reader.app.send(route.method, route.own.path, "newcomer", reader.new_org_id, route.own.body)
            assert answer.status_code == 200, (name, answer.text)
            called += 1
    assert called >= 8
    project_id = await reader.app.host.project(reader.new_org_id)
    answer = await reader.app.send(
        "POST", "/api/clay/preview", "newcomer", reader.new_org_id, {"project_id": str(project_id)}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "clay_not_configured")
    assert await reader.state() == before
