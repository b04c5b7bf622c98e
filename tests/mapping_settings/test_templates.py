"""Table templates: the five built-in ones are valid and complete; an organization saves, exports and imports its own."""

import json

import pytest

from clay_push_service.enrichment.inbound.read_result import DELIVERY_KEYS
from clay_push_service.enrichment.values.fields import FieldNames
from clay_push_service.leads.mapping.columns import parse_columns
from clay_push_service.leads.mapping.compile import compile_columns
from clay_push_service.leads.mapping.table_templates import TEMPLATES, TableTemplate
from tests.harness.api import run_api
from tests.leads.payload_examples import DELIVERY, JOHN, THEN, read

PATH = "/api/clay/templates"
DESCRIBES = {"email_status", "provider", "confidence", "observed_at"}
"""Keys of a result that describe its values."""


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda each: each.key)
def test_a_built_in_template_can_be_saved_and_set_up(template: TableTemplate) -> None:
    assert parse_columns(template.columns)[1] == []
    keys = [each.key for each in template.columns]
    assert template.dedupe_column is None or template.dedupe_column in keys
    assert list(read(compile_columns(template.columns).build(JOHN, DELIVERY, THEN))) == ["_meta", *keys]
    [listed] = [each.copied for each in template.steps if each.copied and each.copied.startswith(f"{keys[0]}\t")]
    assert [line.split("\t")[0] for line in listed.splitlines()] == keys
    column = template.http_column
    if column is not None:
        body = json.loads(column.body)
        assert next(iter(body)) in DELIVERY_KEYS
        names = FieldNames()
        assert all(names.field_of(each) for each in template.returns if each not in DESCRIBES)
        assert column.headers == {"Authorization": "Bearer crt_…"}
        assert set(column.retry_on) == {500, 502, 503}


def test_there_are_five_built_in_templates() -> None:
    assert list(TEMPLATES) == ["standard", "lean_outbound", "enrichment_round_trip", "accounts_first", "pass_through"]
    assert len(TEMPLATES["lean_outbound"].columns) == 12
    assert TEMPLATES["pass_through"].dedupe_column is None


async def test_a_mapping_is_made_from_a_template_and_saved_as_one(database_url: str) -> None:
    async with run_api(database_url) as api:
        made = await api.call("POST", "/api/clay/mappings", {"name": "Mine", "template": "lean_outbound"})
        assert (made["based_on"], len(made["columns"])) == ("Lean outbound", 12)
        body = {"name": "Ours", "about": "For the team", "mapping_id": made["id"], "dedupe_column": "email"}
        saved = await api.call("POST", PATH, body)
        assert (saved["built_in"], saved["columns"], saved["dedupe_column"]) == (False, made["columns"], "email")
        listed = (await api.call("GET", PATH))["templates"]
        assert [each["key"] for each in listed] == [*TEMPLATES, saved["key"]]
        assert listed[-1]["setup"]
        imported = await api.call("POST", PATH, {"name": "Copy", "columns": listed[-1]["columns"]})
        assert imported["columns"] == made["columns"]
        from_own = await api.call("POST", "/api/clay/mappings", {"name": "Again", "template": saved["key"]})
        assert (from_own["columns"], from_own["based_on"]) == (made["columns"], "Ours")
        assert (await api.send("DELETE", f"{PATH}/{saved['key']}", "owner")).status_code == 204
        assert (await api.call("DELETE", f"{PATH}/{saved['key']}", status=404))["code"] == "template_not_found"
        assert (await api.call("GET", f"/api/clay/mappings/{from_own['id']}"))["version"] == 1


async def test_bad_templates_are_refused(database_url: str) -> None:
    async with run_api(database_url) as api:
        columns = [{"key": "a", "field": "email"}]
        assert (await api.call("POST", PATH, {"name": "standard", "columns": columns}, status=409))[
            "code"
        ] == "name_in_use"
        refused = await api.call("POST", PATH, {"name": "x", "columns": columns, "dedupe_column": "b"}, status=422)
        assert refused["errors"][0]["field"] == "dedupe_column"
        assert (await api.call("POST", PATH, {"name": "x"}, status=422))["code"] == "invalid_request"
        await api.call("POST", PATH, {"name": "x", "columns": columns})
        assert (await api.call("POST", PATH, {"name": "X", "columns": columns}, status=409))["code"] == "name_in_use"
