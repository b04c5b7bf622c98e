"""One fault among good columns, at any place and in every request that takes columns: its place is named, and nothing is saved."""

import random
from typing import Any, Final

from clay_push_service.leads.mapping.table_templates import TEMPLATES
from tests.harness.api import Api, run_api_with_leads

MAPPINGS: Final = "/api/clay/mappings"
LONG: Final = "x" * 100_000
HUGE: Final = "x" * 100_001
FAULTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "unknown field": ({"field": "mail"}, "field"),
    "field of another language": ({"field": "__class__"}, "field"),
    "100 KB as a field": ({"field": LONG}, "field"),
    "unknown field of a template": ({"template": "Hi {first_name}"}, "template"),
    "attribute of a field": ({"template": "{full_name.__class__.__mro__}"}, "template"),
    "braces that do not close": ({"template": "{" * 51}, "template"),
    "100 KB as a template": ({"template": LONG}, "template"),
    "over 100 KB as a template": ({"template": HUGE}, "template"),
    "100 KB as a constant": ({"constant": LONG}, "constant"),
    "unknown field of a choice": ({"first_of": ["email", "mail"]}, "first_of[1]"),
    "100 KB as a choice": ({"first_of": [LONG]}, "first_of[0]"),
    "unknown step": ({"field": "email", "steps": ["trim", "uper"]}, "steps[1]"),
    "argument of a wrong type": ({"field": "email", "steps": ['truncate("x")']}, "steps[0]"),
    "two sources": ({"field": "email", "constant": "x"}, ""),
    "no source": ({}, ""),
    "unknown type": ({"field": "email", "type": "phone"}, "type"),
    "unknown property": ({"field": "email", "default": "x"}, "default"),
}
"""What is wrong, the column without its key, and the part that the problem names."""
KEYS: Final = {
    "empty": "",
    "reserved": "_Meta",
    "too long": "k" * 101,
    "100 KB": LONG,
    "unequal only by case": "FIRST KEY",
    "unequal only by a separator": "first_key",
}
FIRST: Final[dict[str, Any]] = {"key": "First key", "field": "email"}


def good_columns(luck: random.Random) -> list[dict[str, Any]]:
    chosen = luck.choice([each for each in TEMPLATES.values() if len(each.columns) <= 20])
    return [FIRST, *(each.as_json() for each in chosen.columns)]


async def refuse(api: Api, columns: list[dict[str, Any]], index: int, part: str) -> None:
    """Every request that takes columns refuses them and names the column and its part."""
    own = f"columns[{index}].{part}" if part else f"columns[{index}]"
    of_schema = f"columns.{index}.{part}"
    [made] = (await api.call("GET", MAPPINGS))["mappings"]
    for method, path, more in (
        ("POST", f"{MAPPINGS}/preview", {"project_id": str(api.project_id)}), ("POST", MAPPINGS, {"name": "Bad"}),
        ("PUT", f"{MAPPINGS}/{made['id']}", {"name": "Renamed"}), ("POST", "/api/clay/templates", {"name": "Bad"}),
    ):  # fmt: skip
        problem = await api.call(method, path, {"columns": columns, **more}, status=422)
        fields = [each["field"] for each in problem["errors"]]
        assert {own, of_schema} & set(fields), (path, index, part, fields)
        assert len(problem["detail"]) < 1000, "the bad text is not repeated"


async def stored(api: Api) -> list[Any]:
    return [
        await api.host.connection.fetch(f"SELECT * FROM clay.{table} ORDER BY id")
        for table in ("mappings", "mapping_versions", "table_templates", "audit_log")
    ]


async def test_a_fault_at_any_place_is_named_and_nothing_is_saved(database_url: str) -> None:
    luck = random.Random(18)
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.call("POST", MAPPINGS, {"name": "Good", "columns": [FIRST]})
        before = await stored(api)
        for bad, part in FAULTS.values():
            columns = good_columns(luck)
            index = luck.randint(0, len(columns))
            columns.insert(index, {"key": "Bad one", **bad})
            await refuse(api, columns, index, part)
        for key in KEYS.values():
            columns = good_columns(luck)
            index = luck.randint(1, len(columns))
            columns.insert(index, {"key": key, "field": "bio"})
            await refuse(api, columns, index, "key")
        assert await stored(api) == before


async def test_the_121st_column_is_refused_and_nothing_is_saved(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        columns = [{"key": f"c{number}", "field": "email"} for number in range(120)]
        await api.call("POST", MAPPINGS, {"name": "Good", "columns": columns})
        before = await stored(api)
        columns.append({"key": "c120", "field": "email"})
        for method, path, more in (
            ("POST", f"{MAPPINGS}/preview", {}), ("POST", MAPPINGS, {"name": "Bad"}),
            ("POST", "/api/clay/templates", {"name": "Bad"}),
        ):  # fmt: skip
            problem = await api.call(method, path, {"columns": columns, **more}, status=422)
            assert [each["field"] for each in problem["errors"]] == ["columns"]
            assert "at most 120" in problem["detail"]
        assert await stored(api) == before
