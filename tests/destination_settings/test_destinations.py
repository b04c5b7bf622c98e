"""Destinations by name: several Clay tables of one organization, each with its webhook, state and quota."""

from uuid import uuid4

import pytest

from tests.destination_settings.config_calls import CONFIG, rows, versions
from tests.destination_settings.destination_calls import DESTINATIONS, create, create_workspace, listed, webhook
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api


async def test_first_destination_is_the_default_one_of_the_settings(app_client: Api) -> None:
    first = await create(app_client, "Enterprise", webhook_token="s3cret")
    await create(app_client, "Mid market")
    assert (first["is_default"], first["state"], first["has_token"]) == (True, "open", True)
    config = (await app_client.get(CONFIG, "member")).json()
    assert (config["webhook_url"], config["table_name"]) == (first["webhook_url"], "Enterprise")
    assert [each["name"] for each in await listed(app_client)] == ["Enterprise", "Mid market"]


async def test_a_further_destination_is_not_the_default_one_and_leaves_the_settings_unchanged(app: Api) -> None:
    before = (await app.get(CONFIG, "member")).json()
    second = await create(app, "Second")
    assert (second["is_default"], second["workspace"]) == (False, (await listed(app))[0]["workspace"])
    assert (await app.get(CONFIG, "member")).json() == before
    await app.put(CONFIG, "owner", {"webhook_url": OTHER_WEBHOOK, "table_name": "Changed"})
    found = {each["name"]: each for each in await listed(app)}
    assert found["Second"]["version"] == 1
    assert found["Default"]["version"] == 2
    assert found["Second"]["changed_by"] == "user:owner"


async def test_webhook_and_token_are_sealed_and_never_shown(app: Api) -> None:
    url = webhook()
    answer = await app.send("POST", DESTINATIONS, "owner", json={"name": "B", "webhook_url": url, "webhook_token": "tok-en-secret"})  # fmt: skip
    stored = await rows(
        app, "SELECT sealed_url, sealed_token FROM clay.destination_versions ORDER BY created_at DESC LIMIT 1"
    )
    assert url.encode() not in stored[0].sealed_url
    assert b"tok-en-secret" not in stored[0].sealed_token
    shown = (
        answer.text + (await app.get(DESTINATIONS, "member")).text + (await app.get("/api/clay/audit", "owner")).text
    )
    assert url not in shown
    assert "tok-en-secret" not in shown


@pytest.mark.parametrize(
    ("field", "body", "status", "code"),
    [
        ("name", {"name": " default "}, 409, "name_in_use"),
        ("webhook_url", {"webhook_url": WEBHOOK}, 409, "webhook_in_use"),
        ("webhook_url", {"webhook_url": "https://127.0.0.1/x"}, 422, "webhook_blocked"),
        ("webhook_url", {"webhook_url": "https://app.clay.com/workspaces/1/tables/2"}, 422, "webhook_blocked"),
        ("workspace_id", {"workspace_id": str(uuid4())}, 404, "workspace_not_found"),
        ("dedupe_column", {"dedupe": "keeps_oldest"}, 422, "invalid_request"),
        ("dedupe_column", {"dedupe": "none", "dedupe_column": "Email"}, 422, "invalid_request"),
        ("dedupe", {"dedupe": "sometimes"}, 422, "invalid_request"),
        ("name", {"name": "a\u0007b"}, 422, "invalid_request"),
    ],
)
async def test_an_invalid_destination_is_refused_with_its_field_and_not_stored(
    app: Api, field: str, body: dict[str, object], status: int, code: str
) -> None:
    before = (await listed(app), len(await versions(app)))
    answer = await app.send("POST", DESTINATIONS, "owner", json={"name": "New", "webhook_url": webhook(), **body})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["errors"][0]["field"].endswith(field)
    assert (await listed(app), len(await versions(app))) == before


async def test_the_51st_destination_is_refused_until_one_is_archived(app: Api) -> None:
    made = [await create(app, f"Table {number}") for number in range(2, 51)]
    answer = await app.send("POST", DESTINATIONS, "owner", json={"name": "Table 51", "webhook_url": webhook()})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_destinations")
    assert len(await listed(app)) == 50
    await app.send("DELETE", f"{DESTINATIONS}/{made[0]['id']}", "owner")
    await create(app, "Table 51")


async def test_change_stores_the_given_fields_and_no_others(app: Api) -> None:
    made = await create(app, "B", dedupe="keeps_oldest", dedupe_column="GitHub user name", quota_used=40)
    path = f"{DESTINATIONS}/{made['id']}"
    sales = await create_workspace(app, "Sales")
    answer = await app.put(path, "admin", {"name": "Enterprise", "workspace_id": str(sales), "quota_limit": None})
    found = answer.json()
    assert (found["name"], found["workspace"]["name"], found["quota"]["limit"]) == ("Enterprise", "Sales", None)
    assert (found["quota"]["used"], found["dedupe_column"], found["version"]) == (40, "GitHub user name", 1)
    answer = await app.put(path, "owner", {"webhook_url": webhook(), "dedupe": "none"})
    assert (answer.json()["version"], answer.json()["dedupe"], answer.json()["dedupe_column"]) == (2, "none", None)


@pytest.mark.parametrize(
    ("body", "code"),
    [({"name": "Default"}, "name_in_use"), ({"webhook_url": WEBHOOK}, "webhook_in_use"), ({"dedupe": "keeps_newest"}, "invalid_request"),
     ({"workspace_id": str(uuid4())}, "workspace_not_found"), ({"name": "Other", "webhook_url": "https://10.0.0.1/"}, "webhook_blocked")],
)  # fmt: skip
async def test_refused_change_stores_nothing(app: Api, body: dict[str, object], code: str) -> None:
    made = await create(app, "B")
    answer = await app.put(f"{DESTINATIONS}/{made['id']}", "owner", body)
    assert answer.json()["code"] == code, answer.text
    assert (await app.get(f"{DESTINATIONS}/{made['id']}", "member")).json() == made


async def test_settings_refer_to_the_new_default_destination(app: Api) -> None:
    made = await create(app, "B")
    assert (await app.put(f"{DESTINATIONS}/{made['id']}", "owner", {"is_default": True})).json()["is_default"]
    assert [each["name"] for each in await listed(app) if each["is_default"]] == ["B"]
    assert (await app.get(CONFIG, "member")).json()["webhook_url"] == made["webhook_url"]


async def test_default_cannot_change_while_a_change_of_nexusleads_is_pending(app: Api) -> None:
    made = await create(app, "B")
    await app.host.add("org_settings", org_id=app.org_id, key="CLAY_WEBHOOK_URL", value=OTHER_WEBHOOK)
    await app.sweep_host_settings()
    answer = await app.put(f"{DESTINATIONS}/{made['id']}", "owner", {"is_default": True, "name": "C"})
    assert (answer.status_code, answer.json()["code"]) == (409, "pending_change_exists")
    assert {each["name"] for each in await listed(app)} == {"Default", "B"}


async def test_archived_destination_keeps_its_history_and_frees_its_name_and_webhook(app: Api) -> None:
    url = webhook()
    made = await create(app, "B", webhook_url=url)
    path = f"{DESTINATIONS}/{made['id']}"
    answer = await app.send("DELETE", path, "owner")
    assert answer.json() == {"archived": True, "ended_count": 0, "message": "The destination was archived."}
    assert (await app.send("DELETE", path, "owner")).json()["archived"] is False
    assert [each["name"] for each in await listed(app)] == ["Default"]
    [_, archived] = await listed(app, archived=True)
    assert (archived["configured"], archived["archived_at"] is not None) == (False, True)
    assert (await app.put(path, "owner", {"name": "C"})).json()["code"] == "destination_archived"
    await create(app, "B", webhook_url=url)


async def test_default_destination_cannot_be_archived_and_the_response_names_its_uses(app: Api) -> None:
    [default] = await listed(app)
    answer = await app.send("DELETE", f"{DESTINATIONS}/{default['id']}", "owner")
    assert (answer.status_code, answer.json()["code"]) == (409, "destination_in_use")
    assert [use["kind"] for use in answer.json()["used_by"]] == ["default"]


async def test_change_of_nexusleads_settings_applies_to_the_default_destination_only(app: Api) -> None:
    made = await create(app, "B")
    await app.host.add("org_settings", org_id=app.org_id, key="CLAY_TABLE_NAME", value="From the page")
    await app.sweep_host_settings()
    assert (await app.get(CONFIG, "member")).json()["table_name"] == "From the page"
    assert (await app.get(f"{DESTINATIONS}/{made['id']}", "member")).json() == made


async def test_new_table_of_one_destination_does_not_change_the_others(app: Api) -> None:
    made = await create(app, "B")
    await app.put(f"{DESTINATIONS}/{made['id']}", "owner", {"webhook_url": webhook()})
    answer = await app.send("POST", f"{DESTINATIONS}/{made['id']}/new-table", "owner", json={"version": 2})
    assert answer.json()["table_epoch"] == 2
    assert {each["name"]: each["table_epoch"] for each in await listed(app)} == {"Default": 1, "B": 2}
