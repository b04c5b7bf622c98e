"""Mappings by API: versions, what a change means in Clay, refusals that name the place, limits, archive."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from clay_push_service.callers.caller import Scope
from tests.harness.api import WEBHOOK, Api, run_api

MAPPINGS = "/api/clay/mappings"
EMAIL = {"key": "E-mail", "field": "email", "type": "email"}
NAME = {"key": "Name", "template": "{full_name|github_username}"}


async def create(api: Api, *columns: dict[str, Any], name: str = "Outbound") -> Any:
    return await api.call("POST", MAPPINGS, {"name": name, "columns": list(columns or (EMAIL, NAME))})


async def change(api: Api, made: Any, *columns: dict[str, Any], **body: Any) -> Any:
    return await api.call("PUT", f"{MAPPINGS}/{made['id']}", {"columns": list(columns), **body})


async def destination(api: Api) -> str:
    await api.call("PUT", "/api/clay/config", {"webhook_url": WEBHOOK, "table_name": "Leads"})
    return str(await api.host.connection.fetchval("SELECT id FROM clay.destinations WHERE org_id = $1", api.org_id))


def kinds(saved: Any) -> list[tuple[str, str, str | None]]:
    return [(each["kind"], each["key"], each["before"]) for each in saved["changes"]]


async def test_a_mapping_has_versions_that_never_change(database_url: str) -> None:
    async with run_api(database_url) as api:
        made = await create(api)
        assert (made["version"], made["used_by"], made["based_on"]) == (1, [], None)
        second = await change(api, made, EMAIL, name="Cold outbound", version=1)
        assert (second["version"], second["name"]) == (2, "Cold outbound")
        assert second["version_id"] != made["version_id"]
        versions = (await api.call("GET", f"{MAPPINGS}/{made['id']}/versions"))["versions"]
        assert [(each["version"], len(each["columns"])) for each in versions] == [(2, 1), (1, 2)]
        assert versions[1]["columns"] == made["columns"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with api.database.driver() as connection:
                await connection.execute("UPDATE clay.mapping_versions SET columns = '[1]'")
        [listed] = (await api.call("GET", MAPPINGS))["mappings"]
        assert (listed["id"], listed["version"]) == (made["id"], 2)


async def test_saving_the_same_columns_creates_no_version(database_url: str) -> None:
    async with run_api(database_url) as api:
        made = await create(api)
        again = await change(api, made, *made["columns"])
        assert (again["version"], again["changes"]) == (1, [])


async def test_a_stale_version_is_refused(database_url: str) -> None:
    async with run_api(database_url) as api:
        made = await create(api)
        await change(api, made, EMAIL, version=1)
        refused = await api.call("PUT", f"{MAPPINGS}/{made['id']}", {"columns": [NAME], "version": 1}, status=409)
        assert refused["code"] == "config_changed"


async def test_saving_reports_what_changes_in_clay_and_what_does_not(database_url: str) -> None:
    async with run_api(database_url) as api:
        old = [EMAIL, NAME, {"key": "Score", "field": "overall_score", "type": "number"}, {"key": "Bio", "field": "bio"},
               {"key": "City", "field": "location"}]  # fmt: skip
        made = await create(api, *old)
        saved = await change(
            api, made, {**NAME, "key": "Full name"}, EMAIL, {"key": "Score", "field": "overall_score"},
            {"key": "City", "field": "location", "steps": ["upper"]}, {"key": "Company", "field": "company"},
        )  # fmt: skip
        assert kinds(saved) == [
            ("renamed", "Full name", "Name"), ("type_changed", "Score", "number"), ("value_changed", "City", None),
            ("added", "Company", None), ("removed", "Bio", None),
        ]  # fmt: skip
        said = {each["kind"]: each["message"] for each in saved["changes"]}
        assert "map `Company` to a column" in said["added"]
        assert "stays in Clay" in said["removed"]
        assert "Clay does not rename columns" in said["renamed"]
        assert any("version 1" in each for each in saved["unchanged"])
        swapped = await change(
            api, made, {**NAME, "key": "E-mail"}, {**EMAIL, "key": "Full name"}, {"key": "Score", "field": "overall_score"},
            {"key": "City", "field": "location", "steps": ["upper"]}, {"key": "Company", "field": "company"},
        )  # fmt: skip
        assert {kind for kind, _, _ in kinds(swapped)} == {"type_changed"}  # both: text ↔ email


async def test_a_destination_uses_the_newest_version_of_its_mapping(database_url: str) -> None:
    async with run_api(database_url) as api:
        place = f"/api/clay/destinations/{await destination(api)}/mapping"
        made = await create(api)
        chosen = await api.call("PUT", place, {"mapping_id": made["id"]})
        assert (chosen["mapping_id"], chosen["version"]) == (made["id"], 1)
        assert ("added", "Name", None) in kinds(chosen)
        assert ("renamed", "E-mail", "email") not in kinds(chosen)  # `as_is` became null: other values, too
        assert ("removed", "raw_github_stats", None) in kinds(chosen)
        assert "standard payload" in chosen["unchanged"][2]
        saved = await change(api, made, EMAIL)
        [used] = saved["used_by"]
        assert used["label"] == "Default"
        stored = await api.host.connection.fetchval("SELECT mapping_version_id FROM clay.destinations")
        assert str(stored) == saved["version_id"]
        refused = await api.call("DELETE", f"{MAPPINGS}/{made['id']}", status=409)
        assert (refused["code"], refused["destination_ids"]) == ("mapping_in_use", [used["id"]])
        assert "Default" in refused["detail"]
        back = await api.call("PUT", place, {"mapping_id": None})
        assert (back["mapping_id"], back["version"]) == (None, None)
        assert ("removed", "E-mail", None) in kinds(back)
        assert (await api.send("DELETE", f"{MAPPINGS}/{made['id']}", "owner")).status_code == 204
        assert (await api.call("GET", f"{MAPPINGS}/{made['id']}", status=404))["code"] == "mapping_not_found"
        assert len((await api.call("GET", f"{MAPPINGS}/{made['id']}/versions"))["versions"]) == 2
        await create(api)  # the name is free again


@pytest.mark.parametrize(
    ("columns", "field", "offset", "words"),
    [
        ([EMAIL, {"key": "x", "field": "mail"}], "columns[1].field", 0, "did you mean `email`"),
        ([{"key": "x", "template": "Hi {fist_name}!"}], "columns[0].template", 4, "is not a field"),
        ([{"key": "x", "template": "{full_name.__class__}"}], "columns[0].template", 1, "is not a field"),
        ([{"key": "x", "template": "{" * 100_000}], "columns[0].template", 8_000, "at most 8,000"),
        ([{"key": "x", "field": "email", "steps": ["lowr"]}], "columns[0].steps[0]", 0, "did you mean `lower`"),
        ([EMAIL, {"key": "e mail", "field": "email"}], "columns[1].key", None, "differs from columns[0].key"),
        ([{"key": "_META", "field": "email"}], "columns[0].key", None, "cannot be replaced"),
        ([{"key": "x", "template": "a {custom.owner}"}], "columns[0].template", 3, "custom fields"),
        ([{"key": f"c{number}", "field": "email"} for number in range(121)], "columns", None, "at most 120"),
        ([{"key": "x"}], "columns[0]", None, "exactly one of"),
        ([], "columns", None, "at least 1"),
        ([{"key": "x", "field": "email", "type": "phone"}], "columns.0.type", None, "must be one of"),
        ([{"key": "x", "feld": "email"}], "columns.0.feld", None, "did you mean `field`"),
    ],
)  # fmt: skip
async def test_bad_columns_are_refused_with_their_place_and_nothing_is_saved(
    database_url: str, columns: list[dict[str, Any]], field: str, offset: int | None, words: str
) -> None:
    async with run_api(database_url) as api:
        made = await create(api)
        for method, path, body in (
            ("POST", MAPPINGS, {"name": "Other", "columns": columns}), ("PUT", f"{MAPPINGS}/{made['id']}", {"columns": columns}),
            ("POST", "/api/clay/templates", {"name": "Other", "columns": columns}), ("POST", f"{MAPPINGS}/preview", {"columns": columns}),
        ):  # fmt: skip
            refused = await api.call(method, path, body, status=422)
            assert refused["code"] == "invalid_request"
            found = next(each for each in refused["errors"] if each["field"] == field)
            assert words in found["message"]
            assert found.get("offset") == offset
            assert field in refused["detail"]
        count = "SELECT (SELECT count(*) FROM clay.mapping_versions) + (SELECT count(*) FROM clay.table_templates)"
        assert await api.host.connection.fetchval(count) == 1


async def test_names_are_unique_and_the_number_of_mappings_is_limited(database_url: str) -> None:
    async with run_api(database_url) as api:
        made = await create(api)
        other = await create(api, name="Other")
        body = {"name": "OUTBOUND", "columns": [EMAIL]}
        assert (await api.call("POST", MAPPINGS, body, status=409))["code"] == "name_in_use"
        assert (await api.call("PUT", f"{MAPPINGS}/{other['id']}", body, status=409))["code"] == "name_in_use"
        assert (await change(api, made, EMAIL, name="outbound"))["name"] == "outbound"
        await api.host.connection.execute(
            "INSERT INTO clay.mappings (id, org_id, name, created_by) SELECT gen_random_uuid(), $1, n::text, 'x'"
            " FROM generate_series(1, 98) AS n",
            api.org_id,
        )
        refused = await api.call("POST", MAPPINGS, {"name": "One more", "columns": [EMAIL]}, status=409)
        assert refused["code"] == "too_many_mappings"


async def test_a_custom_field_of_the_organization_can_be_mapped(database_url: str) -> None:
    async with run_api(database_url) as api:
        await api.call("PUT", "/api/clay/enrichment/custom-fields", {"names": ["owner"]})
        await create(api, {"key": "Owner", "field": "custom.owner"})
        fields = (await api.call("GET", f"{MAPPINGS}/fields"))["fields"]
        of_clay = {each["name"] for each in fields if each["origin"] == "clay"}
        assert {"custom.owner", "enriched.email"} <= of_clay
        assert not any(each["counts_as_change"] for each in fields if each["origin"] == "clay")


async def test_unknown_ids_are_not_found(database_url: str) -> None:
    async with run_api(database_url) as api:
        nowhere = await api.call("PUT", f"/api/clay/destinations/{uuid4()}/mapping", {"mapping_id": None}, status=404)
        assert nowhere["code"] == "destination_not_found"
        body = {"name": "x", "template": "none"}
        assert (await api.call("POST", MAPPINGS, body, status=404))["code"] == "template_not_found"


async def test_changes_are_audited(database_url: str) -> None:
    async with run_api(database_url) as api:
        place = f"/api/clay/destinations/{await destination(api)}/mapping"
        made = await create(api)
        await change(api, made, EMAIL)
        await api.call("PUT", place, {"mapping_id": made["id"]})
        await api.call("PUT", place, {"mapping_id": None})
        await api.send("DELETE", f"{MAPPINGS}/{made['id']}", "owner")
        rows = await api.host.connection.fetch(
            "SELECT action FROM clay.audit_log WHERE action LIKE '%mapping%' ORDER BY id"
        )
        assert [row["action"] for row in rows] == [
            "mapping.created", "mapping.changed", "destination.mapping_changed", "destination.mapping_changed",
            "mapping.archived",
        ]  # fmt: skip


async def test_a_key_reads_with_read_and_changes_with_config(database_url: str) -> None:
    async with run_api(database_url) as api:
        reader = await api.key(Scope.READ)
        assert (await api.get(MAPPINGS, reader)).status_code == 200
        assert (await api.send("POST", f"{MAPPINGS}/preview", reader, json={})).status_code == 200
        assert (await api.send("POST", MAPPINGS, reader, json={"name": "x", "columns": [EMAIL]})).status_code == 403
