"""Any member can change the webhook in NexusLeads' settings. A later change is pending until an owner or admin confirms it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from clay_push_service.callers.caller import Scope
from clay_push_service.destinations.reseal import reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.host.columns import Vintage
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api
from tests.host_integration.host_settings import CONFIG, audited_actions, config, push, versions, write_host_settings

FIRST, SECOND = "https://api.clay.com/v3/…/••••950e", "https://api.clay.com/v3/…/••••0ae7"
FRONTEND = "/api/integrations/clay/config"


@pytest.fixture(params=list(Vintage), ids=str)
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Api]:
    """An API whose webhook comes from the host's settings."""
    async with run_api(database_url, vintage=Vintage(request.param)) as made:
        await write_host_settings(made, webhook_url=WEBHOOK, table_name="One")
        assert (await config(made))["source"] == "host"
        yield made


async def pending(app: Api) -> dict[str, object]:
    found = (await config(app))["pending"]
    assert isinstance(found, dict)
    return found


async def decide(app: Api, what: str, who: str = "owner", change: object = None, **body: object) -> httpx.Response:
    change = change or (await pending(app))["id"]
    return await app.send("POST", f"{CONFIG}/pending/{change}/{what}", who, json=body or None)


async def sent_to(app: Api) -> set[int]:
    """Returns the destination versions of the accepted push jobs."""
    rows = await app.host.connection.fetch(
        "SELECT version.number FROM clay.push_jobs AS job"
        " JOIN clay.destination_versions AS version ON version.id = job.destination_version_id"
    )
    return {row["number"] for row in rows}


async def test_another_url_in_the_host_is_pending_and_pushes_use_the_confirmed_one(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK, table_name="Two")
    assert await push(app) == 202
    seen = await config(app)
    assert (seen["webhook_url"], seen["table_name"], seen["version"]) == (FIRST, "One", 1)
    assert (await pending(app))["webhook_url"] == SECOND
    assert f"name another webhook ({SECOND})" in str(seen["problem"])
    assert (await sent_to(app), await versions(app)) == ({1}, 1)
    for path in ("/api/clay/status", FRONTEND):
        report = (await app.get(path, "member")).json()
        assert report["pending"] == await pending(app), path
        assert SECOND in report["problem"], path
    assert (await audited_actions(app)).count(("host:org_settings", "config.pending_found")) == 1


@pytest.mark.parametrize("who", ["owner", "admin"])
async def test_an_owner_or_admin_confirms_a_pending_change(app: Api, who: str) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK, table_name="Two")
    answer = await decide(app, "confirm", who)
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert (seen["webhook_url"], seen["table_name"], seen["version"], seen["source"]) == (SECOND, "Two", 2, "host")
    assert (seen["pending"], seen["problem"], seen["changed_by"]) == (None, None, f"user:{who}")
    assert await push(app) == 202
    assert await sent_to(app) == {2}
    assert (f"user:{who}", "config.pending_confirmed") in await audited_actions(app)


async def test_a_rejected_change_is_ignored_until_the_host_changes_again(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK, table_name="Two")
    assert (await decide(app, "reject")).json()["pending"] is None
    for _ in range(2):
        seen = await config(app)
        assert (seen["webhook_url"], seen["table_name"], seen["pending"], seen["problem"]) == (FIRST, "One", None, None)
    assert ("user:owner", "config.pending_rejected") in await audited_actions(app)
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK + "1")
    assert (await pending(app))["webhook_url"] is not None


async def test_a_plain_member_or_another_scope_cannot_decide(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    key = await app.key(*(scope for scope in Scope if scope is not Scope.CONFIG))
    for what in ("confirm", "reject"):
        assert (await decide(app, what, "member")).json()["code"] == "role_required"
        assert (await decide(app, what, key)).json()["code"] == "scope_required"
    assert (await config(app))["webhook_url"] == FIRST
    key = await app.key(Scope.CONFIG, name="another")
    assert (await decide(app, "confirm", key)).status_code == 200


async def test_only_the_pending_change_that_was_shown_can_be_confirmed(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    seen = (await pending(app))["id"]
    await write_host_settings(app, webhook_url="https://api.clay.com/v3/sources/webhook/written-a-moment-later")
    for change in (seen, uuid4()):
        for what in ("confirm", "reject"):
            answer = await decide(app, what, change=change)
            assert (answer.status_code, answer.json()["code"]) == (404, "pending_change_not_found")
    assert (await config(app))["webhook_url"] == FIRST
    assert (await decide(app, "confirm")).status_code == 200


@pytest.mark.parametrize("url", [OTHER_WEBHOOK, WEBHOOK, "https://api.clay.com/v3/sources/webhook/a-third"])
async def test_saving_a_url_settles_the_pending_change(app: Api, url: str) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    assert (await config(app))["pending"]
    seen = (await app.put(CONFIG, "admin", {"webhook_url": url})).json()
    assert (seen["pending"], seen["problem"]) == (None, None)
    assert ("user:admin", "config.pending_settled") in await audited_actions(app)


async def test_saving_other_fields_settles_no_pending_change(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    await app.put(CONFIG, "owner", {"table_name": "Named here"})
    await app.put(FRONTEND, "owner", {"webhook_url": FIRST})  # the page sends back the masked URL that it shows
    seen = await config(app)
    assert (seen["webhook_url"], seen["pending"] is not None) == (FIRST, True)


async def test_removing_the_webhook_in_the_host_is_pending_too(app: Api) -> None:
    assert await push(app) == 202
    await write_host_settings(app, webhook_url=None)
    assert (await pending(app))["webhook_url"] is None
    seen = await config(app)
    assert (seen["configured"], "was removed" in str(seen["problem"])) == (True, True)
    assert await push(app) == 202
    assert (await decide(app, "confirm")).json()["configured"] is False
    causes = await app.host.connection.fetch("SELECT DISTINCT cause FROM clay.clay_push_log")
    assert [row["cause"] for row in causes] == ["destination_removed"]
    assert await push(app) == 409
    await write_host_settings(app, webhook_url=WEBHOOK)  # the URL returns, but an owner had confirmed its removal
    assert await push(app) == 409
    assert (await decide(app, "confirm")).json()["webhook_url"] == FIRST


async def test_a_webhook_that_was_saved_here_is_not_removed_by_a_removal_in_the_host(app: Api) -> None:
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    await write_host_settings(app, webhook_url=None)
    seen = await config(app)
    assert (seen["webhook_url"], seen["pending"]) == (SECOND, None)


@pytest.mark.parametrize("then", [WEBHOOK, "https://evil.example/x"])
async def test_a_pending_change_ends_when_the_host_no_longer_contains_it(app: Api, then: str) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    await pending(app)
    await write_host_settings(app, webhook_url=then)
    seen = await config(app)
    assert (seen["webhook_url"], seen["pending"], seen["version"]) == (FIRST, None, 1)
    assert ("host:org_settings", "config.pending_withdrawn") in await audited_actions(app)


async def test_removing_the_webhook_deletes_the_pending_change(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    await pending(app)
    await app.send("DELETE", CONFIG, "owner")
    seen = await config(app)
    assert (seen["configured"], seen["pending"]) == (False, None)
    await write_host_settings(app, webhook_url=WEBHOOK)
    assert (await push(app), (await pending(app))["webhook_url"]) == (409, FIRST)


async def test_pace_and_name_of_the_present_table_are_applied_immediately(app: Api) -> None:
    await write_host_settings(app, table_name="Renamed", rate_limit_ms="350")
    seen = await config(app)
    assert (seen["table_name"], seen["rate_limit_ms"], seen["pending"]) == ("Renamed", 350, None)
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    await pending(app)
    await write_host_settings(app, table_name="Of the other", rate_limit_ms="400")
    seen = await config(app)
    assert (seen["table_name"], seen["rate_limit_ms"]) == ("Renamed", 400)
    assert (await decide(app, "confirm")).json()["table_name"] == "Of the other"


async def test_the_settings_of_the_host_do_not_open_a_closed_destination(app: Api) -> None:
    await app.host.connection.execute(
        "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized', state_since = now()"
    )
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    await pending(app)
    await write_host_settings(app, webhook_url=WEBHOOK)
    assert (await config(app))["state"] == "closed"


async def test_the_pending_url_is_encrypted_and_readable_after_a_rotation(app: Api) -> None:
    await write_host_settings(app, webhook_url=OTHER_WEBHOOK)
    await pending(app)
    for table in ("pending_webhooks", "audit_log", "destinations"):
        rows = await app.host.connection.fetch(f"SELECT * FROM clay.{table}")
        assert OTHER_WEBHOOK not in str(rows)
        assert OTHER_WEBHOOK.encode() not in b"".join(
            value for row in rows for value in row if isinstance(value, bytes)
        )
    ring = app.app.state.settings.encryption_keys
    ours = SecretBox((*[type(ring[0])(generate_key())], *ring))
    done = await reseal(app.database, ours)
    assert (done.resealed, done.unreadable) == (2, 0)
    header = await app.host.connection.fetchval("SELECT sealed_url FROM clay.pending_webhooks")
    assert ours.key_id_of(header) == ours.first_key_id


async def test_the_first_webhook_of_an_organization_needs_no_confirmation(app: Api) -> None:
    await app.host.add("org_settings", org_id=app.other_org_id, key="CLAY_WEBHOOK_URL", value=WEBHOOK)
    await app.sweep_host_settings()
    seen = (await app.get(CONFIG, "other_owner")).json()
    assert (seen["configured"], seen["source"], seen["pending"]) == (True, "host", None)
