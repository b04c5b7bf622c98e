"""/status warns of a missing encryption key that stored webhooks need, and of webhooks with little quota left."""

import html
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from clay_push_service.destinations.secret_box import SecretBox, generate_key
from tests.harness.api import Api, run_api
from tests.harness.runtime import runtime_role
from tests.support.destination_rows import add_destination, add_second_destination, add_version

OLD, NEW = generate_key(), generate_key()
OLD_ID, NEW_ID = (entry.partition(":")[0] for entry in (OLD, NEW))
WORKER = "INSERT INTO clay.workers (id, hostname, pid, version) VALUES (gen_random_uuid(), 'box-1', 4711, '0.1.0')"


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Api]:
    async with run_api(database_url, ops_open=True, encryption_keys=NEW) as client:
        await run(client, WORKER)
        yield client


async def run(app: Api, statement: str, **values: object) -> None:
    async with app.owner.transaction() as connection:
        await connection.execute(text(statement), values)


async def destination(app: Api, org_id: UUID, *entries: str, used: int = 0, limit: int | None = 50_000) -> UUID:
    """Add a destination with one version for each key number. The last version is in use, and all share one quota meter."""
    meter_id, version_id = uuid4(), uuid4()
    async with app.database.transaction() as connection:
        destination_id = await add_destination(connection, org_id, table_name="Inbound")
    await run(
        app,
        "INSERT INTO clay.quota_meters (id, org_id, used, quota_limit) VALUES (:id, :org, :used, :max)",
        id=meter_id, org=org_id, used=used, max=limit,
    )  # fmt: skip
    for number, entry in enumerate(entries, start=1):
        version_id = uuid4()
        box = SecretBox(app_ring(entry))
        await run(
            app,
            "INSERT INTO clay.destination_versions (id, org_id, destination_id, number, sealed_url, sealed_token, url_mask, source,"
            " meter_id) VALUES (:id, :org, :destination, :number, :url, :token, 'masked', 'api', :meter)",
            id=version_id, org=org_id, destination=destination_id, number=number, meter=meter_id,
            url=box.seal("https://api.clay.com/v3/sources/webhook/x", org_id, version_id),
            token=box.seal("token", org_id, version_id),
        )  # fmt: skip
    await run(
        app, "UPDATE clay.destinations SET version_id = :version WHERE id = :id", version=version_id, id=destination_id
    )
    return version_id


def app_ring(entry: str) -> list[SecretStr]:
    return [SecretStr(entry)]


async def status(app: Api, code: int = 200) -> dict[str, Any]:
    answer = await app.get("/status")
    assert answer.status_code == code, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def page(app: Api) -> str:
    return html.unescape((await app.get("/status", headers={"Accept": "text/html"})).text)


async def test_sufficient_encryption_keys_are_shown_without_advice(app: Api) -> None:
    await destination(app, app.org_id, NEW)
    report = await status(app)
    assert (report["status"], report["advice"]) == ("ok", [])
    assert report["encryption"] == {
        "checked": True, "ring": [NEW_ID], "missing": [],
        "sealed_with": [{"key_id": NEW_ID, "destinations": 1, "in_use": 1, "in_ring": True}],
    }  # fmt: skip
    assert NEW_ID in await page(app)


async def test_a_missing_key_is_reported_with_its_destinations_and_the_remedy(
    app: Api,
) -> None:
    await destination(app, app.org_id, OLD)
    await destination(app, app.other_org_id, OLD, NEW)
    report = await status(app, 503)
    assert report["encryption"]["missing"] == [OLD_ID]
    assert {"key_id": OLD_ID, "destinations": 2, "in_use": 1, "in_ring": False} in report["encryption"]["sealed_with"]
    [advice] = report["advice"]
    assert advice["level"] == "failing"
    assert (
        f"1 destination in use is sealed with a missing encryption key: `{OLD_ID}`; 1 more in earlier versions"
        in advice["what"]
    )
    assert "Put the key back into CLAY_PUSH_ENCRYPTION_KEYS" in advice["do"]
    shown = await page(app)
    assert OLD_ID in shown
    assert "Put the key back into CLAY_PUSH_ENCRYPTION_KEYS" in shown


async def test_a_missing_key_that_only_earlier_versions_and_pending_changes_need_is_no_failure(app: Api) -> None:
    await destination(app, app.org_id, OLD, NEW)
    pending = uuid4()
    sealed = SecretBox(app_ring(OLD)).seal("https://api.clay.com/v3/y", app.other_org_id, pending)
    await run(
        app,
        "INSERT INTO clay.pending_webhooks (id, org_id, sealed_url, url_mask) VALUES (:id, :org, :url, 'masked')",
        id=pending, org=app.other_org_id, url=sealed,
    )  # fmt: skip
    report = await status(app)
    assert report["status"] == "degraded"
    assert {"key_id": OLD_ID, "destinations": 2, "in_use": 0, "in_ring": False} in report["encryption"]["sealed_with"]


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x02\x02k1" + bytes(40), b"\x01\xffk1", b"\x01\x03\x00\x00\x00"])
async def test_stored_values_of_unknown_form_are_counted(app: Api, value: bytes) -> None:
    version = await destination(app, app.org_id, NEW)
    await run(app, "UPDATE clay.destination_versions SET sealed_token = :value WHERE id = :id", value=value, id=version)
    report = await status(app)
    assert {"key_id": None, "destinations": 1, "in_use": 1, "in_ring": None} in report["encryption"]["sealed_with"]
    assert "1 destination has stored secrets in a format that this release cannot read." in str(report["advice"])


async def test_a_process_without_keys_reports_that_it_cannot_check(database_url: str) -> None:
    async with run_api(database_url, ops_open=True, encryption_keys="") as app:
        await run(app, WORKER)
        await destination(app, app.org_id, OLD)
        report = await status(app)
        assert (report["encryption"]["checked"], report["encryption"]["missing"]) == (False, [])
        assert "This process cannot check which keys the stored webhooks need." in str(report["advice"])
        assert "cannot check which keys" in await page(app)


@pytest.mark.parametrize(
    ("used", "limit", "level"),
    [
        (39_999, 50_000, None), (40_000, 50_000, "warning"), (47_499, 50_000, "warning"), (47_500, 50_000, "urgent"),
        (50_001, 50_000, "urgent"), (2_000_000, None, None),
    ],
)  # fmt: skip
async def test_a_quota_of_80_percent_gives_advice_and_95_percent_gives_urgent_advice(
    app: Api, used: int, limit: int | None, level: str | None
) -> None:
    await destination(app, app.org_id, NEW, used=used, limit=limit)
    report = await status(app)
    assert [each["level"] for each in report["quota_warnings"]] == ([] if level is None else [level])
    assert report["status"] == ("ok" if level is None else "degraded")
    if level is not None:
        [advice] = report["advice"]
        assert f"{'95' if level == 'urgent' else '80'} % or more of its lifetime submissions: Acme (" in advice["what"]
        assert "create a new webhook source in Clay" in advice["do"]
        assert advice["do"].startswith("Act today") == (level == "urgent")
        shown = await page(app)
        assert "Acme" in shown
        assert f">{level}<" in shown


async def test_a_replaced_webhook_gives_no_quota_advice(app: Api) -> None:
    await destination(app, app.org_id, NEW, used=49_000)
    await run(app, "UPDATE clay.destinations SET version_id = NULL")
    assert (await status(app))["quota_warnings"] == []


async def test_two_full_webhooks_of_an_organization_are_named_by_their_tables(app: Api) -> None:
    await destination(app, app.org_id, NEW, used=48_000)
    async with app.database.transaction() as connection:
        second = await add_second_destination(connection, app.org_id, table_name="Enterprise")
        await add_version(connection, app.org_id, second, used=49_000, quota_limit=50_000)
    report = await status(app)
    assert [(each["table_name"], each["percent"]) for each in report["quota_warnings"]] == [
        ("Enterprise", 98.0), ("Inbound", 96.0),
    ]  # fmt: skip
    [what] = [each["what"] for each in report["advice"] if "lifetime submissions" in each["what"]]
    assert what.startswith("2 webhooks have used 95 % or more")
    assert "Acme, Enterprise (98 %), Acme, Inbound (96 %)" in what
    assert 'clay_push_quota_destinations{over="0.95"} 2.0' in (await app.get("/metrics")).text


async def test_a_table_without_a_name_of_clay_is_shown_by_the_name_of_its_destination(app: Api) -> None:
    await destination(app, app.org_id, NEW, used=48_000)
    await run(app, "UPDATE clay.destinations SET table_name = NULL, suspect_since = now()")
    await run(app, "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'")
    report = await status(app)
    for shown in (report["quota_warnings"], report["unhealthy_destinations"], report["enrichment"]["suspect"]):
        assert [each["table_name"] for each in shown] == ["Default"]


async def closed(app: Api) -> str | None:
    report = await status(app)
    found: str | None = report["unhealthy_destinations"][0]["organization"]
    return found


async def test_organizations_are_shown_by_name_or_by_id_if_the_name_is_unreadable(app: Api) -> None:
    await destination(app, app.org_id, NEW, used=48_000)
    await run(app, "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'")
    assert await closed(app) == "Acme"
    shown = await page(app)
    assert ">Acme</bdi>" in shown
    await run(
        app,
        "UPDATE public.organizations SET name = :name WHERE id = :id",
        name="<b>A\x1b[31m\n" + "x" * 200,
        id=app.org_id,
    )
    name = await closed(app)
    assert name is not None
    assert (len(name), name.startswith("<b>A [31m x")) == (80, True)
    assert "<b>A" not in (await app.get("/status", headers={"Accept": "text/html"})).text
    await run(app, f'REVOKE SELECT ON public.organizations FROM "{runtime_role()}"')
    await run(app, f'REVOKE SELECT (id, name) ON public.organizations FROM "{runtime_role()}"')
    answer = await app.get("/status")
    [unhealthy] = answer.json()["unhealthy_destinations"]
    assert (unhealthy["organization"], unhealthy["org_id"]) == (None, str(app.org_id))
    assert f"submissions: {app.org_id} (96 %)." in answer.text
