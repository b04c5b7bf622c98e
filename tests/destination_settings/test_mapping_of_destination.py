"""The mapping among the properties of a destination: chosen when it is created or changed, shown, and refused as a whole."""

from uuid import uuid4

import pytest

from tests.destination_settings.destination_calls import DESTINATIONS, create, listed, webhook
from tests.harness.api import Api

MAPPINGS = "/api/clay/mappings"
EMAIL = {"key": "E-mail", "field": "email", "type": "email"}


async def create_mapping(app: Api, name: str = "Lean", who: str = "owner") -> dict[str, str]:
    made: dict[str, str] = await app.call("POST", MAPPINGS, {"name": name, "columns": [EMAIL]}, who=who)
    return made


def shown(mapping: dict[str, str]) -> dict[str, object]:
    return {
        "id": mapping["id"],
        "name": mapping["name"],
        "version": mapping["version"],
        "version_id": mapping["version_id"],
    }


async def actions(app: Api) -> list[str]:
    entries = (await app.call("GET", "/api/clay/audit"))["entries"]
    return [each["action"] for each in reversed(entries)]


async def test_a_mapping_is_chosen_with_the_other_properties_and_shown(app: Api) -> None:
    mapping = await create_mapping(app)
    made = await create(app, "B", mapping_id=mapping["id"])
    assert made["mapping"] == shown(mapping)
    path = f"{DESTINATIONS}/{made['id']}"
    renamed = (await app.put(path, "owner", {"name": "C"})).json()
    assert (renamed["name"], renamed["mapping"]) == ("C", shown(mapping))
    standard = (await app.put(path, "owner", {"mapping_id": None, "dedupe": "none"})).json()
    assert (standard["mapping"], standard["dedupe"]) == (None, "none")
    again = (await app.put(path, "admin", {"mapping_id": mapping["id"]})).json()
    assert again["mapping"] == shown(mapping)
    assert {each["name"]: each["mapping"] for each in await listed(app)} == {"Default": None, "C": shown(mapping)}


async def test_it_is_the_same_as_the_route_of_the_mapping(app: Api) -> None:
    mapping = await create_mapping(app)
    made = await create(app, "B")
    path = f"{DESTINATIONS}/{made['id']}"
    await app.call("PUT", f"{path}/mapping", {"mapping_id": mapping["id"]})
    assert (await app.get(path, "member")).json()["mapping"] == shown(mapping)
    saved = await app.call("PUT", f"{MAPPINGS}/{mapping['id']}", {"columns": [EMAIL, {"key": "Bio", "field": "bio"}]})
    assert (await app.get(path, "member")).json()["mapping"] == shown(saved)
    before = await actions(app)
    await app.put(path, "owner", {"mapping_id": mapping["id"]})
    assert await actions(app) == before, "an unchanged mapping is no change"
    await app.put(path, "owner", {"mapping_id": None})
    assert await actions(app) == [*before, "destination.mapping_changed"]


@pytest.mark.parametrize("whose", ["nobody's", "another organization's", "archived"])
async def test_a_mapping_that_is_not_there_is_named_and_nothing_is_saved(app: Api, whose: str) -> None:
    mapping_id = str(uuid4())
    if whose == "another organization's":
        mapping_id = (await create_mapping(app, who="other_owner"))["id"]
    if whose == "archived":
        mapping_id = (await create_mapping(app))["id"]
        await app.send("DELETE", f"{MAPPINGS}/{mapping_id}", "owner")
    before = await listed(app)
    new = {"name": "B", "webhook_url": webhook(), "mapping_id": mapping_id}
    for answer in (
        await app.send("POST", DESTINATIONS, "owner", json=new),
        await app.put(f"{DESTINATIONS}/{before[0]['id']}", "owner", {"name": "C", "mapping_id": mapping_id}),
        await app.put(f"{DESTINATIONS}/{before[0]['id']}/mapping", "owner", {"mapping_id": mapping_id}),
    ):
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (404, "mapping_not_found")
        assert [each["field"] for each in problem["errors"]] == ["mapping_id"]
    assert await listed(app) == before


async def test_an_archived_destination_does_not_keep_a_mapping_from_being_archived(app: Api) -> None:
    mapping = await create_mapping(app)
    made = await create(app, "B", mapping_id=mapping["id"])
    assert (await app.send("DELETE", f"{MAPPINGS}/{mapping['id']}", "owner")).json()["code"] == "mapping_in_use"
    await app.send("DELETE", f"{DESTINATIONS}/{made['id']}", "owner")
    assert (await app.send("DELETE", f"{MAPPINGS}/{mapping['id']}", "owner")).status_code == 204
    [_, archived] = await listed(app, archived=True)
    assert archived["mapping"] == shown(mapping)
