"""The Clay settings: versions, masks, roles, audit log, removal, and the quota meter."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.destinations.read import Quota, destination_view
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.stored_destination import read_destination
from clay_push_service.states import DestinationState
from tests.destination_settings.config_calls import CONFIG, TOKEN, close, rows, versions
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api, run_api


async def test_a_new_organization_has_no_settings(app_client: Api) -> None:
    answer = (await app_client.get(CONFIG, "member")).json()
    assert answer["configured"] is False
    assert answer["webhook_url"] is None
    assert (answer["rate_limit_ms"], answer["quota_limit"]) == (200, 50_000)


async def test_url_and_token_are_never_returned_in_clear(app: Api) -> None:
    answer = await app.get(CONFIG, "member")
    seen = answer.json()
    assert seen["configured"]
    assert seen["has_token"]
    assert seen["webhook_url"] == "https://api.clay.com/v3/…/••••950e"
    assert (seen["changed_by"], seen["version"], seen["quota_used"]) == ("user:owner", 1, 7)
    assert WEBHOOK not in answer.text
    assert TOKEN not in answer.text
    stored = str(await rows(app, "SELECT * FROM clay.destinations")) + str(await versions(app))
    assert WEBHOOK not in stored
    assert TOKEN not in stored


async def test_masked_values_that_are_sent_back_change_nothing(app: Api) -> None:
    seen = (await app.get(CONFIG, "owner")).json()
    before = await rows(app, "SELECT * FROM clay.destinations")
    answer = await app.put(CONFIG, "admin", {"webhook_url": seen["webhook_url"], "webhook_token": "••••••••"})
    assert answer.json() == seen
    assert await rows(app, "SELECT * FROM clay.destinations") == before
    assert len(await versions(app)) == 1
    assert len(await rows(app, "SELECT * FROM clay.audit_log")) == 1


async def test_the_mask_of_another_webhook_is_refused(app: Api) -> None:
    answer = await app.put(CONFIG, "owner", {"webhook_url": "https://api.clay.com/v3/…/••••0000"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "webhook_url"


async def test_another_url_creates_a_version_with_its_own_quota(app: Api) -> None:
    answer = await app.put(CONFIG, "admin", {"webhook_url": OTHER_WEBHOOK})
    assert (answer.json()["version"], answer.json()["quota_used"], answer.json()["has_token"]) == (2, 0, True)
    old, new = await versions(app)
    assert old.sealed_url is not None
    assert old.state == "open"
    assert [row.used for row in await rows(app, "SELECT used FROM clay.quota_meters ORDER BY created_at")] == [7, 0]
    assert (new.number, new.created_by) == (2, "user:admin")
    assert [row.version_id for row in await rows(app, "SELECT version_id FROM clay.destinations")] == [new.id]


async def test_another_token_creates_a_version_with_the_same_quota(app: Api) -> None:
    answer = await app.put(CONFIG, "owner", {"webhook_token": "another"})
    assert (answer.json()["version"], answer.json()["quota_used"]) == (2, 7)
    answer = await app.put(CONFIG, "owner", {"webhook_token": None})
    assert (answer.json()["version"], answer.json()["has_token"]) == (3, False)


async def test_the_token_is_not_sent_to_another_host(database_url: str) -> None:
    async with run_api(database_url, allowed_webhook_hosts="*.clay.com,hooks.example.org") as app:
        await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK, "webhook_token": TOKEN})
        answer = await app.put(CONFIG, "owner", {"webhook_url": "https://hooks.example.org/in"})
        assert answer.json()["has_token"] is False


async def test_omitted_fields_are_unchanged(app: Api) -> None:
    await app.put(CONFIG, "owner", {"table_name": "Inbound", "rate_limit_ms": 500, "quota_limit": None})
    seen = (await app.put(CONFIG, "owner", {"quota_used": 9})).json()
    assert (seen["table_name"], seen["rate_limit_ms"], seen["quota_limit"]) == ("Inbound", 500, None)
    assert (seen["quota_used"], seen["version"]) == (9, 1)


async def test_a_new_table_gets_the_next_number_and_keeps_the_version(app: Api) -> None:
    seen = (await app.put(CONFIG, "owner", {"new_table": True})).json()
    assert (seen["table_epoch"], seen["version"]) == (2, 1)


@pytest.mark.parametrize("change", [{"webhook_url": WEBHOOK}, {"webhook_token": TOKEN}])
async def test_saving_the_same_secret_again_opens_a_closed_destination(app: Api, change: dict[str, str]) -> None:
    await close(app)
    assert (await app.get(CONFIG, "owner")).json()["state"] == "closed"
    seen = (await app.put(CONFIG, "owner", change)).json()
    assert (seen["state"], seen["reason"], seen["version"]) == ("open", None, 1)
    (version,) = await versions(app)
    assert (version.refusals, version.outages) == (0, 0)


async def test_a_change_of_another_field_leaves_a_closed_destination_closed(app: Api) -> None:
    await close(app)
    seen = (
        await app.put(CONFIG, "owner", {"table_name": "Other", "webhook_url": "https://api.clay.com/v3/…/••••950e"})
    ).json()
    assert (seen["state"], seen["reason"]) == ("closed", "unauthorized")


async def test_every_change_is_audited_without_secrets(app: Api) -> None:
    await app.put(
        CONFIG, "admin", {"webhook_url": OTHER_WEBHOOK, "webhook_token": "another-secret", "rate_limit_ms": 300}
    )
    await app.send("DELETE", CONFIG, "owner")
    found = await rows(
        app, "SELECT org_id, actor, action, details, details::text AS report FROM clay.audit_log ORDER BY id"
    )
    assert [(row.actor, row.action) for row in found] == [
        ("user:owner", "config.changed"),
        ("user:admin", "config.changed"),
        ("user:owner", "config.removed"),
    ]
    assert {row.org_id for row in found} == {app.org_id}
    assert found[1].details == {
        "webhook_url": "changed",
        "webhook_token": "set",
        "rate_limit_ms": 300,
        "version": 2,
    }
    for row in found:
        assert not any(secret in row.report for secret in (TOKEN, "another-secret", "clay.com", "950e"))


async def test_an_organization_cannot_see_the_settings_of_another(app: Api) -> None:
    assert (await app.get(CONFIG, "other_owner")).json()["configured"] is False
    await app.put(CONFIG, "other_owner", {"webhook_url": OTHER_WEBHOOK})
    await app.send("DELETE", CONFIG, "other_owner")
    assert (await app.get(CONFIG, "owner")).json()["configured"] is True


async def test_two_concurrent_changes_create_one_version_each(app_client: Api) -> None:
    answers = await asyncio.gather(
        *(app_client.put(CONFIG, "owner", {"webhook_url": f"{WEBHOOK}{number}"}) for number in range(6))
    )
    saved = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert saved
    assert [version.number for version in await versions(app_client)] == list(range(1, len(saved) + 1))


async def test_without_encryption_keys_settings_can_be_read_and_not_written(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_api(database_url, encryption_keys="") as app:
        assert (await app.get(CONFIG, "owner")).status_code == 200
        answer = await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})
        assert (answer.status_code, answer.json()["code"]) == (503, "encryption_keys_missing")
        assert answer.json()["detail"].endswith("The NexusLeads operator must complete the setup.")
        assert "clay-push secrets new" in capsys.readouterr().out


async def queue_leads(app: Api, number: int) -> UUID:
    """Add a pending push job with this number of waiting deliveries for the current version."""
    job_id = uuid4()
    async with app.database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode,"
                " lead_count) SELECT :job, org_id, gen_random_uuid(), id, version_id, 1, 'selected', :number FROM clay.destinations"
                " WHERE org_id = :org"
            ),
            {"job": job_id, "org": app.org_id, "number": number},
        )
        await connection.execute(
            text(
                "INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch)"
                " SELECT :org, :job, gen_random_uuid(), gen_random_uuid(), destination_id, 1 FROM clay.push_jobs,"
                " generate_series(1, :number) WHERE id = :job"
            ),
            {"job": job_id, "org": app.org_id, "number": number},
        )
    return job_id


async def test_removal_deletes_all_secrets_and_ends_queued_deliveries(app: Api) -> None:
    await queue_leads(app, 3)
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    await queue_leads(app, 2)
    answer = await app.send("DELETE", CONFIG, "owner")
    assert answer.json() == {"removed": True, "ended_count": 5, "message": "The Clay webhook was removed."}
    for version in await versions(app):
        assert (version.sealed_url, version.sealed_token) == (None, None)
        assert (version.state, version.state_reason) == ("closed", "destination_removed")
    assert {row.cause for row in await rows(app, "SELECT cause FROM clay.clay_push_log")} == {"destination_removed"}
    assert {row.status for row in await rows(app, "SELECT status FROM clay.push_jobs")} == {"failed"}
    seen = (await app.get(CONFIG, "owner")).json()
    assert (seen["configured"], seen["state"], seen["changed_by"]) == (False, None, "user:owner")
    assert (await app.send("DELETE", CONFIG, "owner")).json()["removed"] is False
    assert (await app.put(CONFIG, "owner", {"table_name": "x"})).status_code == 422
    assert (await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()["version"] == 3


async def test_the_settings_show_pace_health_and_quota(app: Api) -> None:
    await app.put(CONFIG, "owner", {"quota_used": 40_000})
    async with app.database.transaction() as connection:
        await connection.execute(
            text("UPDATE clay.workspaces SET throttled_ms = 800, throttled_at = now() + interval '1 minute'")
        )
        await connection.execute(
            text(
                "UPDATE clay.destination_versions SET state = 'waiting', state_reason = 'server_error',"
                " probe_at = now() + interval '9 s'"
            )
        )
        view = await destination_view(connection, app.org_id)
        assert await destination_view(connection, app.other_org_id) is None
    assert view is not None
    assert view.webhook is not None
    assert view.rate_limit_ms == 200
    assert view.current_interval_ms == 800
    assert (view.webhook.state, view.webhook.reason) == (DestinationState.WAITING, "server_error")
    assert view.webhook.until is not None
    assert (view.webhook.quota.remaining, view.webhook.quota.warning_percent) == (10_000, 80)


@pytest.mark.parametrize(
    ("used", "limit", "warning"),
    [(0, 100, None), (79, 100, None), (80, 100, 80), (95, 100, 95), (500, 100, 95), (99, None, None), (5, 0, None)],
)
def test_the_quota_gives_warnings_at_80_and_95_percent(used: int, limit: int | None, warning: int | None) -> None:
    assert Quota(used, limit).warning_percent == warning


async def test_a_url_that_is_saved_again_keeps_its_quota_count(app: Api) -> None:
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})
    seen = (await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()
    assert (seen["version"], seen["quota_used"]) == (3, 7)


async def test_a_removed_url_keeps_its_quota_count(app: Api) -> None:
    await app.send("DELETE", CONFIG, "owner")
    assert (await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK})).json()["quota_used"] == 0
    assert (await app.put(CONFIG, "owner", {"webhook_url": WEBHOOK})).json()["quota_used"] == 7
    kept = [row.url_fingerprint for row in await versions(app)]
    assert len(kept) == 3
    assert len(set(kept)) == 2, "the same webhook of an organization must have the same fingerprint"
    await app.put(CONFIG, "other_owner", {"webhook_url": WEBHOOK})
    assert len({row.url_fingerprint for row in await versions(app)}) == 3, (
        "the same webhook of another organization must have another fingerprint"
    )


async def test_saving_the_quota_limit_does_not_overwrite_the_count_of_a_worker(
    app: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker counts a lead after the settings are read and before they are written."""

    async def send_a_lead_between(connection: AsyncConnection, box: SecretBox, org_id: UUID, **more: bool) -> Any:
        found = await read_destination(connection, box, org_id, **more)
        if more.get("lock"):
            async with app.database.transaction() as other:
                await other.execute(text("UPDATE clay.quota_meters SET used = used + 1"))
        return found

    monkeypatch.setattr("clay_push_service.destination_settings.configure.read_destination", send_a_lead_between)
    seen = (await app.put(CONFIG, "owner", {"quota_limit": 40_000})).json()
    assert (seen["quota_used"], seen["quota_limit"]) == (8, 40_000)
    seen = (await app.put(CONFIG, "owner", {"quota_limit": None})).json()
    assert (seen["quota_used"], seen["quota_limit"]) == (9, None)
    seen = (await app.put(CONFIG, "owner", {"quota_used": 3})).json()
    assert (seen["quota_used"], seen["quota_limit"]) == (3, None)
