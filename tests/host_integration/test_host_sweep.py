"""The worker's sweep of the host's settings page: the values that it stores or skips, and the state that a reader sees before it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from clay_push_service.destination_settings import host_sweep
from clay_push_service.destination_settings.host_change import Decision, Stored, decide
from clay_push_service.destination_settings.host_sweep import HostSettingsSweep
from clay_push_service.host.org_settings import ClaySettings
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api
from tests.harness.runtime import runtime_role
from tests.harness.service import run_service
from tests.host_integration.host_settings import CONFIG, push, write_host_settings

CHANGED = "The Clay settings in NexusLeads have changed."


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Api]:
    async with run_api(database_url) as made:
        yield made


async def read(app: Api, path: str = CONFIG) -> dict[str, object]:
    """Read the settings without a sweep."""
    answer = await app.get(path, "member")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def configured(app: Api) -> set[UUID]:
    """Returns the organizations with a webhook."""
    rows = await app.host.connection.fetch("SELECT org_id FROM clay.destinations WHERE version_id IS NOT NULL")
    return {row["org_id"] for row in rows}


async def organizations(app: Api, count: int) -> list[UUID]:
    """Add organizations with a webhook on the host's settings page. Returns them in the order of a pass."""
    made = [await app.host.organization(f"Number {number}") for number in range(count)]
    for org_id in made:
        await app.host.add("org_settings", org_id=org_id, key="CLAY_WEBHOOK_URL", value=WEBHOOK)
    return sorted(made)


async def refuse_changes(app: Api, org_id: UUID) -> None:
    """Make every statement on this organization's destination fail."""
    await app.host.connection.execute(f"""
        CREATE FUNCTION clay.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'refused'; END$$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON clay.destinations FOR EACH ROW
            WHEN (NEW.org_id = '{org_id}') EXECUTE FUNCTION clay.refuse();
    """)


def failed() -> float:
    return REGISTRY.get_sample_value("clay_push_host_settings_changes_total", {"end": "failed"}) or 0.0


async def test_an_organization_without_a_destination_becomes_configured(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK, table_name="Leads", rate_limit_ms="350")
    seen = await read(app)
    assert seen["configured"] is False
    assert str(seen["problem"]).startswith(CHANGED)
    assert await app.sweep_host_settings() == 1
    seen = await read(app)
    assert (seen["configured"], seen["table_name"], seen["rate_limit_ms"], seen["problem"]) == (
        True,
        "Leads",
        350,
        None,
    )
    assert await app.sweep_host_settings() == 0, "the second pass must store nothing"


async def test_a_push_before_the_sweep_uses_the_new_webhook_and_a_preview_announces_it(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    project_id = await app.host.project(app.org_id)
    preview = await app.send("POST", "/api/clay/preview", "member", json={"project_id": str(project_id)})
    assert (preview.status_code, preview.json()["code"]) == (409, "clay_not_configured")
    assert preview.json()["detail"].startswith("The webhook URL in NexusLeads' settings is not in use yet.")
    assert await push(app) == 202
    assert await configured(app) == {app.org_id}
    await write_host_settings(app, webhook_url=None)
    assert (await app.send("POST", "/api/clay/preview", "member", json={"project_id": str(project_id)})).is_success


async def test_a_reader_sees_the_stored_state_and_that_a_change_follows(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK, table_name="One")
    await app.sweep_host_settings()
    stored = await read(app)
    for change, reported in (
        ({"webhook_url": OTHER_WEBHOOK}, "name another webhook (https://api.clay.com/v3/…/••••0ae7)"),
        ({"webhook_url": None}, "was removed in NexusLeads' settings"),
        ({"webhook_url": WEBHOOK, "table_name": "Two"}, CHANGED),
        ({"table_name": "One", "rate_limit_ms": "350"}, CHANGED),
    ):
        await write_host_settings(app, **change)
        for path in (CONFIG, "/api/clay/status", "/api/integrations/clay/config"):
            problem = str((await read(app, path))["problem"])
            assert problem.startswith(CHANGED), (change, path)
            assert reported in problem, (change, path)
        assert await read(app) == stored | {"problem": (await read(app))["problem"]}
    assert await app.sweep_host_settings() == 1
    seen = await read(app)
    assert (seen["rate_limit_ms"], seen["table_name"], seen["problem"], seen["pending"]) == (350, "One", None, None)


async def test_a_refused_webhook_is_reported_before_and_after_the_sweep(app: Api) -> None:
    await write_host_settings(app, webhook_url=WEBHOOK)
    await app.sweep_host_settings()
    await write_host_settings(app, webhook_url="https://evil.example/x")
    before = (await read(app))["problem"]
    assert str(before).startswith("The webhook URL in NexusLeads' settings is not used: ")
    assert await app.sweep_host_settings() == 1
    assert (await read(app))["problem"] == before
    assert await app.sweep_host_settings() == 0


async def test_a_failure_of_one_organization_does_not_stop_the_others(app: Api) -> None:
    made = await organizations(app, 3)
    await refuse_changes(app, made[0])
    before = failed()
    assert await app.sweep_host_settings() == 2
    assert (await configured(app), failed() - before) == (set(made[1:]), 1)
    await app.host.connection.execute("DROP TRIGGER refuse ON clay.destinations")
    assert await app.sweep_host_settings() == 1
    assert await configured(app) == set(made)


async def test_a_pass_continues_with_the_next_organizations_and_restarts_after_the_last(
    app: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_sweep, "PAGE", 2)
    monkeypatch.setattr(host_sweep, "PAGES_PER_PASS", 2)
    made = await organizations(app, 5)
    all_organizations = sorted([*made, app.org_id, app.other_org_id])
    sweep = HostSettingsSweep(app.database, HostTableCache(), app.app.state.settings)
    expected: set[UUID] = set()
    for page in (all_organizations[:4], all_organizations[4:]):
        expected |= set(page) & set(made)
        await sweep.run_pass()
        assert await configured(app) == expected
    await app.host.add("org_settings", org_id=app.org_id, key="CLAY_WEBHOOK_URL", value=WEBHOOK)
    await sweep.run_pass()
    await sweep.run_pass()
    assert await configured(app) == {*made, app.org_id}


async def test_a_global_pace_creates_no_destination(app: Api) -> None:
    await app.host.connection.execute("INSERT INTO app_settings (key, value) VALUES ('CLAY_RATE_LIMIT_MS', '350')")
    await app.host.add("org_settings", org_id=app.other_org_id, key="CLAY_TABLE_NAME", value="Leads")
    assert await app.sweep_host_settings() == 0
    assert await app.host.connection.fetchval("SELECT count(*) FROM clay.destinations") == 0
    assert (await read(app))["problem"] is None, "no change may be announced, because none will be stored"
    await write_host_settings(app, webhook_url=WEBHOOK)
    assert await app.sweep_host_settings() == 1
    assert (await read(app))["rate_limit_ms"] == 350


async def test_a_role_that_cannot_read_the_settings_stores_nothing(app: Api) -> None:
    """The rights are those before `attach`."""
    await organizations(app, 2)
    await app.host.connection.execute("DROP FUNCTION clay.host_settings(uuid)")
    assert await app.sweep_host_settings() == 0
    await app.host.connection.execute(f'GRANT SELECT ON org_settings, app_settings TO "{runtime_role()}"')
    assert await app.sweep_host_settings() == 2, (
        "with an attachment of release 0.1, the sweep reads the tables directly"
    )


async def test_without_nexusleads_tables_a_pass_stores_nothing(app: Api) -> None:
    await app.host.connection.execute(f"DROP TABLE {app.host.name('leads')} CASCADE")
    assert await app.sweep_host_settings() == 0


async def test_a_missing_encryption_key_is_logged_once_per_pass(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_api(database_url, encryption_keys="") as app:
        await organizations(app, 3)
        assert await app.sweep_host_settings() == 0
        logged = [line for line in capsys.readouterr().out.splitlines() if "host_settings.no_encryption_keys" in line]
        assert len(logged) == 1
        assert "3" in logged[0]
        assert await configured(app) == set()


async def test_values_that_the_code_does_not_expect_do_not_stop_the_others(
    app: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await organizations(app, 2)
    await app.host.add("org_settings", org_id=made[0], key="CLAY_TABLE_NAME", value="Unexpected")

    def fail_for_one(host: ClaySettings, stored: Stored, settings: Settings) -> Decision:
        if host.table_name == "Unexpected":
            raise ValueError
        return decide(host, stored, settings)

    monkeypatch.setattr(host_sweep, "decide", fail_for_one)
    before = failed()
    assert await app.sweep_host_settings() == 1
    assert (await configured(app), failed() - before) == ({made[1]}, 1)


async def test_a_worker_stores_what_the_settings_page_holds(database_url: str, tmp_path: Path) -> None:
    async with run_service(database_url, tmp_path) as service:
        assert (await service.api.call("GET", CONFIG))["configured"] is False
        await service.host.add(
            "org_settings", org_id=service.org_id, key="CLAY_WEBHOOK_URL", value=service.sandbox.webhook_url()
        )
        async with asyncio.timeout(30):
            while not (await service.api.call("GET", CONFIG))["configured"]:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.1)
        job = await service.api.push(list(service.lead_ids[:1]))
        assert (await service.api.finished(job["job_id"]))["success_count"] == 1
