"""Destinations and workspaces without JavaScript: create, change, test, default, archive, and what each role and organization sees."""

from uuid import UUID, uuid4

from tests.destination_settings.destination_calls import (
    DESTINATIONS,
    WORKSPACES,
    create,
    create_workspace,
    listed,
    webhook,
)
from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

PAGE = "/console/destinations"
WORKSPACES_PAGE = "/console/workspaces"


async def test_a_second_destination_is_created_and_listed(api: Api, owner: Visitor) -> None:
    await owner.open(f"{PAGE}/new")
    page = await owner.submit_and_follow(
        PAGE,
        {"name": "Großkunden 大口", "webhook_url": webhook(), "dedupe": "keeps_oldest", "dedupe_column": "user name"},
    )
    assert "is saved" in page.text
    assert "Drops a second row" in page.text
    names = [each["name"] for each in await listed(api)]
    assert "Großkunden 大口" in names
    page = await owner.open(PAGE)
    assert "Großkunden 大口" in page.text
    assert "0 of 50,000" in page.text


async def test_errors_are_shown_beside_their_fields_and_nothing_is_saved(api: Api, owner: Visitor) -> None:
    await create(api, "Taken")
    await owner.open(f"{PAGE}/new")
    secret = webhook()
    for fields, field, text in (
        ({"name": "taken"}, "name", "Is the name of another destination."),
        ({"name": ""}, "name", "at least 1 character"),
        ({"webhook_url": "http://10.0.0.1/none"}, None, "Nothing was saved."),
        ({"webhook_token": "x-clay-webhook-auth: a"}, "webhook_token", "Must be the token without the header name"),
        ({"dedupe": "keeps_newest"}, "dedupe_column", "Is required with dedupe"),
        ({"quota_limit": "many"}, "quota_limit", "Must be a whole number."),
        ({"workspace_id": str(uuid4())}, None, None),
    ):
        answer = await owner.submit(PAGE, {"name": "Fresh", "webhook_url": secret, "test": "", **fields})
        if text is None:
            assert answer.status_code == 404
            continue
        assert answer.status_code in {409, 422}, answer.text
        assert text in answer.text, fields
        assert secret not in answer.text
        if field is not None:
            assert f'id="{field}-error"' in answer.text
            assert 'aria-invalid="true" autofocus' in answer.text
            assert 'value="Fresh"' in answer.text or field == "name"
    assert [each["name"] for each in await listed(api) if each["name"] == "Fresh"] == []


async def test_a_change_keeps_what_the_form_leaves_empty(api: Api, owner: Visitor) -> None:
    made = await create(api, "Enterprise", dedupe="keeps_oldest", dedupe_column="login")
    url = f"{PAGE}/{made['id']}"
    await owner.open(url)
    page = await owner.submit_and_follow(
        url, {"name": "Enterprise, Europe", "dedupe": "none", "dedupe_column": "login"}
    )
    assert "The destination is saved." in page.text
    after = await api.call("GET", f"{DESTINATIONS}/{made['id']}")
    assert (after["name"], after["dedupe"], after["dedupe_column"]) == ("Enterprise, Europe", "none", None)
    assert (after["version"], after["webhook_url"]) == (made["version"], made["webhook_url"])
    answer = await owner.submit(url, {"name": "Enterprise", "dedupe": "keeps_oldest"})
    assert (answer.status_code, 'id="dedupe_column-error"' in answer.text) == (422, True)


async def test_the_default_moves_and_only_an_unused_destination_is_archived(api: Api, owner: Visitor) -> None:
    made = await create(api, "Second")
    first = next(each for each in await listed(api) if each["is_default"])
    await owner.open(f"{PAGE}/{made['id']}")
    page = await owner.submit_and_follow(f"{PAGE}/{made['id']}/default")
    assert "is the default destination now" in page.text
    page = await owner.submit_and_follow(f"{PAGE}/{made['id']}/archive")
    assert "is used by" in page.text
    await owner.open(f"{PAGE}/{first['id']}")
    page = await owner.submit_and_follow(f"{PAGE}/{first['id']}/archive")
    assert "This destination is archived." in page.text
    assert "Save" not in page.text
    assert str(first["id"]) not in (await owner.open(PAGE)).text
    assert str(first["id"]) in (await owner.open(f"{PAGE}?archived=true")).text


async def test_a_failed_test_is_a_message_with_its_stage(api: Api, owner: Visitor) -> None:
    made = await create(api, "Unreachable")
    api.resolver.default = ("10.0.0.1",)
    await owner.open(f"{PAGE}/{made['id']}")
    page = await owner.submit_and_follow(f"{PAGE}/{made['id']}/test")
    assert "Host name (DNS)" in page.text
    assert "Failed" in page.text


async def test_a_new_table_is_declared_for_the_version_that_was_shown(api: Api, owner: Visitor) -> None:
    made = await create(api, "Moved")
    await api.call("PUT", f"{DESTINATIONS}/{made['id']}", {"webhook_url": webhook()})
    page = await owner.open(f"{PAGE}/{made['id']}")
    assert "It is a new table" in page.text
    await owner.submit_and_follow(f"{PAGE}/{made['id']}/new-table", {"version": "2"})
    assert (await api.call("GET", f"{DESTINATIONS}/{made['id']}"))["table_epoch"] == 2


async def test_workspaces_are_created_and_changed(api: Api, owner: Visitor) -> None:
    await owner.open(WORKSPACES_PAGE)
    await owner.submit_and_follow(WORKSPACES_PAGE, {"name": "Sales", "rate_limit_ms": "100"})
    found = {each["name"]: each for each in (await api.call("GET", WORKSPACES))["workspaces"]}
    assert found["Sales"]["rate_limit_ms"] == 100
    page = await owner.open(WORKSPACES_PAGE)
    assert "10 leads/s, 36,000 an hour" in page.text
    url = f"{WORKSPACES_PAGE}/{found['Sales']['id']}"
    for fields, field in (
        ({"name": "Sales", "rate_limit_ms": "50"}, "rate_limit_ms"), ({"name": "Sales", "rate_limit_ms": "x"}, "rate_limit_ms"),
    ):  # fmt: skip
        answer = await owner.submit(url, fields)
        assert answer.status_code == 422
        assert f'id="{found["Sales"]["id"]}-{field}-error"' in answer.text
    await owner.submit_and_follow(url, {"name": "Sales, Europe", "rate_limit_ms": "250"})
    found = {each["name"]: each for each in (await api.call("GET", WORKSPACES))["workspaces"]}
    assert found["Sales, Europe"]["rate_limit_ms"] == 250


async def test_members_read_and_change_nothing(api: Api) -> None:
    made = await create(api, "Second")
    async with visiting(api, "member") as member:
        for path in (PAGE, f"{PAGE}/{made['id']}", WORKSPACES_PAGE):
            page = await member.open(path)
            assert page.status_code == 200, path
            assert "Save" not in page.text, path
        assert (await member.open(f"{PAGE}/new")).status_code == 403
        await member.open(PAGE)
        workspace_id = await create_workspace(api, "Other")
        for path in (
            PAGE, f"{PAGE}/{made['id']}", *(f"{PAGE}/{made['id']}/{verb}" for verb in ("test", "default", "new-table", "archive")),
            WORKSPACES_PAGE, f"{WORKSPACES_PAGE}/{workspace_id}",
        ):  # fmt: skip
            answer = await member.submit(path, {"name": "x", "version": "1"})
            assert answer.status_code == 403, path


async def test_another_organization_finds_none_of_them(api: Api) -> None:
    made = await create(api, "Second")
    workspace_id: UUID = await create_workspace(api, "Ours")
    async with visiting(api, "other_owner") as other_owner:
        assert (await other_owner.open(f"{PAGE}/{made['id']}")).status_code == 404
        page = await other_owner.open(PAGE)
        assert "Second" not in page.text
        assert "No destinations yet" in page.text
        for path, fields in (
            (f"{PAGE}/{made['id']}", {"name": "Theirs"}), (f"{PAGE}/{made['id']}/test", {}),
            (f"{PAGE}/{made['id']}/default", {}), (f"{PAGE}/{made['id']}/archive", {}),
            (f"{PAGE}/{made['id']}/new-table", {"version": "1"}),
            (f"{WORKSPACES_PAGE}/{workspace_id}", {"name": "Theirs", "rate_limit_ms": "200"}),
        ):  # fmt: skip
            await other_owner.open(PAGE)
            answer = await other_owner.submit(path, fields)
            assert answer.status_code == 404, path
    assert (await api.call("GET", f"{DESTINATIONS}/{made['id']}"))["name"] == "Second"
