"""Writes into a body's schema the other names that its ids are taken by: a client made of the schema sends what it says only."""

from collections.abc import Callable
from typing import cast

from pydantic import JsonValue

TWINS = {"lead_ids": "contributor_ids", "lead_id": "contributor_id"}

Schema = dict[str, JsonValue]


def with_twins(example: Schema) -> Callable[[Schema], None]:
    """For `json_schema_extra`, in place of `examples`.

    No name of ids is required there, although one of the two may be: saying that with `oneOf` takes many generators apart.
    """

    def extend(schema: Schema) -> None:
        properties = cast("dict[str, Schema]", schema["properties"])
        written: dict[str, Schema] = {}
        for name, said in properties.items():
            written[name] = said
            if twin := TWINS.get(name):
                about = f"Another name of `{name}`; send one of the two."
                written[twin] = {**said, "title": twin.replace("_", " ").title(), "description": about}
        schema["properties"] = cast("JsonValue", written)
        required = [name for name in cast("list[str]", schema.pop("required", [])) if name not in TWINS]
        if required:
            schema["required"] = cast("JsonValue", required)
        schema["examples"] = [example]

    return extend
