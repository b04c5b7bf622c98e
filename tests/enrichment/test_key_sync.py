"""The API key on NexusLeads' own page and in the environment: used at first set-up, confirmed later, never taken by a read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clay_push_service.host.columns import Vintage
from clay_push_service.setting_checks.api_key_form import ADVICE
from tests.enrichment.conftest import CONFIG, KEY, OTHER_KEY
from tests.harness.api import Api, run_api
from tests.harness.service import run_service
from tests.support.dump import dump

NOT_APPLIED = "The Clay API key in NexusLeads' settings has changed."


@pytest.fixture(params=list(Vintage), ids=str)
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Api]:
    async with run_api(database_url, vintage=Vintage(request.param)) as app:
        yield app


async def page(app: Api, value: str | None) -> None:
    """What the host's settings page holds for the first organization."""
    await app.host.connection.execute("DELETE FROM org_settings WHERE org_id = $1 AND key = 'CLAY_API_KEY'", app.org_id)
    if value is not None:
        await app.host.add("org_settings", org_id=app.org_id, key="CLAY_API_KEY", value=value)


async def read(app: Api) -> dict[str, object]:
    response = await app.get(CONFIG, "member")
    assert response.status_code == 200, response.text
    assert not any(key in response.text for key in (KEY, OTHER_KEY))
    found: dict[str, object] = response.json()
    return found


async def pending(app: Api) -> dict[str, object]:
    found = (await read(app))["pending"]
    assert isinstance(found, dict), found
    return found


async def decide(app: Api, verb: str, pending_id: object, who: str = "owner") -> int:
    return (await app.send("POST", f"{CONFIG}/pending/{pending_id}/{verb}", who)).status_code


async def actions(app: Api) -> list[str]:
    rows = await app.host.connection.fetch("SELECT actor, action FROM clay.audit_log ORDER BY id")
    return [f"{row['actor']} {row['action']}" for row in rows]


async def test_the_first_key_is_used_after_a_sweep_and_not_by_a_read(app: Api) -> None:
    await page(app, KEY)
    seen = await read(app)
    assert (seen["configured"], str(seen["problem"]).startswith(NOT_APPLIED)) == (False, True)
    assert "enrichment_settings:" not in await dump(app.owner), "a read writes nothing"
    assert await app.sweep_api_keys() == 1
    seen = await read(app)
    assert (seen["api_key"], seen["key_source"], seen["version"], seen["problem"]) == ("••••abcd", "host", 1, None)
    assert await app.sweep_api_keys() == 0
    assert KEY not in await dump(app.owner)
    assert await actions(app) == ["host:org_settings enrichment.changed"]


async def test_another_key_waits_until_an_owner_confirms_it(app: Api) -> None:
    await page(app, KEY)
    await app.sweep_api_keys()
    await page(app, OTHER_KEY)
    assert await app.sweep_api_keys() == 1
    seen = await read(app)
    assert (seen["api_key"], str(seen["problem"])) == (
        "••••abcd",
        "NexusLeads' settings hold another Clay API key (••••wxyz). The change waits until an owner or admin confirms it here.",
    )
    waiting = await pending(app)
    assert waiting["api_key"] == "••••wxyz"
    assert await decide(app, "confirm", waiting["id"], "member") == 403
    assert await decide(app, "confirm", waiting["id"]) == 200
    seen = await read(app)
    assert (seen["api_key"], seen["key_source"], seen["pending"], seen["version"]) == ("••••wxyz", "host", None, 2)
    assert await decide(app, "confirm", waiting["id"]) == 404
    assert await app.sweep_api_keys() == 0
    assert OTHER_KEY not in await dump(app.owner)


async def test_a_rejected_key_is_not_offered_again(app: Api) -> None:
    await page(app, KEY)
    await app.sweep_api_keys()
    await page(app, OTHER_KEY)
    await app.sweep_api_keys()
    first = await pending(app)
    assert await decide(app, "reject", first["id"], "admin") == 200
    assert await app.sweep_api_keys() == 0
    assert ((await read(app))["pending"], (await read(app))["api_key"]) == (None, "••••abcd")
    await page(app, OTHER_KEY + "v2")
    await app.sweep_api_keys()
    second = await pending(app)
    assert second["id"] != first["id"]
    assert await decide(app, "confirm", first["id"]) == 404


async def test_a_removal_on_the_page_waits_too(app: Api) -> None:
    await page(app, KEY)
    await app.sweep_api_keys()
    await page(app, None)
    await app.sweep_api_keys()
    waiting = await pending(app)
    assert (waiting["api_key"], (await read(app))["configured"]) == (None, True)
    assert await decide(app, "confirm", waiting["id"]) == 200
    assert (await read(app))["configured"] is False


async def test_a_change_that_the_page_takes_back_is_withdrawn(app: Api) -> None:
    await page(app, KEY)
    await app.sweep_api_keys()
    await page(app, OTHER_KEY)
    await app.sweep_api_keys()
    await page(app, KEY)
    await app.sweep_api_keys()
    assert (await read(app))["pending"] is None
    assert (await actions(app))[-1] == "host:org_settings enrichment.pending_withdrawn"


async def test_an_old_value_of_the_page_never_undoes_a_change_made_here(app: Api) -> None:
    await page(app, KEY)
    await app.sweep_api_keys()
    assert (await app.put(CONFIG, "owner", {"api_key": OTHER_KEY})).status_code == 200
    assert await app.sweep_api_keys() == 0
    seen = await read(app)
    assert (seen["api_key"], seen["key_source"], seen["pending"]) == ("••••wxyz", "api", None)
    assert (await app.send("DELETE", CONFIG, "owner")).json()["removed"] is True
    assert await app.sweep_api_keys() == 0
    assert (await read(app))["configured"] is False


async def test_a_key_saved_here_is_newer_than_what_the_page_held_and_older_than_its_changes(app: Api) -> None:
    assert (await app.put(CONFIG, "owner", {"api_key": KEY})).status_code == 200
    await page(app, OTHER_KEY)
    await app.sweep_api_keys()
    assert (await pending(app))["api_key"] == "••••wxyz"
    assert (await app.put(CONFIG, "owner", {"api_key": KEY})).status_code == 200
    assert (await read(app))["pending"] is None, "a key that is written out settles what waits"


@pytest.mark.parametrize("value", [f'"{KEY}"', f"{KEY} "])
async def test_a_key_with_surrounding_text_is_reported_and_not_used(app: Api, value: str) -> None:
    await page(app, value)
    assert await app.sweep_api_keys() == 0
    seen = await read(app)
    assert (seen["configured"], seen["problem"]) == (
        False,
        "The Clay API key in NexusLeads' settings is not used: it has spaces or quotes around it. " + ADVICE,
    )
    await page(app, KEY)
    assert await app.sweep_api_keys() == 1
    assert (await read(app))["problem"] is None


async def test_a_global_key_of_nexusleads_is_used_for_no_organization(app: Api) -> None:
    await app.host.connection.execute("INSERT INTO app_settings (key, value) VALUES ('CLAY_API_KEY', $1)", KEY)
    assert await app.sweep_api_keys() == 0
    assert (await read(app))["configured"] is False


async def test_one_organization_never_sees_the_key_of_another(app: Api) -> None:
    await page(app, KEY)
    await app.sweep_api_keys()
    seen = (await app.get(CONFIG, "other_owner")).json()
    assert (seen["configured"], seen["api_key"], seen["version"]) == (False, None, 0)


async def test_without_encryption_keys_the_key_of_the_page_is_not_stored(database_url: str) -> None:
    async with run_api(database_url, encryption_keys="") as app:
        await page(app, KEY)
        assert await app.sweep_api_keys() == 0
        assert str((await read(app))["problem"]).startswith(
            "The Clay API key in NexusLeads' settings cannot be used yet."
        )


async def test_one_organizations_failure_does_not_stop_the_others(app: Api) -> None:
    await page(app, KEY)
    await app.host.add("org_settings", org_id=app.other_org_id, key="CLAY_API_KEY", value=OTHER_KEY)
    await app.host.connection.execute(f"""
        CREATE FUNCTION clay.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'refused'; END$$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON clay.enrichment_settings FOR EACH ROW
            WHEN (NEW.org_id = '{app.org_id}') EXECUTE FUNCTION clay.refuse();
    """)
    assert await app.sweep_api_keys() == 1
    assert (await app.get(CONFIG, "other_owner")).json()["configured"] is True
    await app.host.connection.execute("DROP TRIGGER refuse ON clay.enrichment_settings")
    assert await app.sweep_api_keys() == 1
    assert (await read(app))["configured"] is True


async def test_the_environments_key_is_used_by_an_installation_with_one_organization(database_url: str) -> None:
    async with run_api(database_url, clay_api_key=KEY) as app:
        seen = await read(app)
        assert (seen["configured"], seen["key_source"]) == (False, None)
        assert "the installation has several organizations" in str(seen["problem"])
        members, organizations = app.host.name("org_members"), app.host.name("organizations")
        await app.host.connection.execute(f"DELETE FROM {members} WHERE org_id = $1", app.other_org_id)
        await app.host.connection.execute(f"DELETE FROM {organizations} WHERE id = $1", app.other_org_id)
        seen = await read(app)
        assert (seen["configured"], seen["key_source"], seen["api_key"], seen["problem"]) == (
            True, "environment", None, None,
        )  # fmt: skip
        assert (await app.put(CONFIG, "owner", {"api_key": OTHER_KEY})).status_code == 200
        seen = await read(app)
        assert (seen["key_source"], seen["api_key"]) == ("api", "••••wxyz")
        assert KEY not in await dump(app.owner)


async def test_a_worker_stores_the_key_of_the_page(database_url: str, tmp_path: Path) -> None:
    async with run_service(database_url, tmp_path) as service:
        await service.host.add("org_settings", org_id=service.org_id, key="CLAY_API_KEY", value=KEY)
        async with asyncio.timeout(30):
            while not (await service.api.call("GET", CONFIG))["configured"]:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.1)
