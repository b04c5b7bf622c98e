"""Documents accepted field aliases in the OpenAPI schema, because a generated client sends documented fields only."""

from collections.abc import Callable
from typing import cast

from pydantic import JsonValue

ALIASES = {"lead_ids": "contributor_ids", "lead_id": "contributor_id"}

Schema = dict[str, JsonValue]


def with_aliases(example: Schema) -> Callable[[Schema], None]:
    """Returns the value for `json_schema_extra`, which replaces `examples`.

    Neither name is marked as required, although one may be: many client generators fail on `oneOf`.
    """

    def extend(schema: Schema) -> None:
        properties = cast("dict[str, Schema]", schema["properties"])
        written: dict[str, Schema] = {}
        for name, field in properties.items():
            written[name] = field
            if alias := ALIASES.get(name):
                about = f"Alias of `{name}`; send one of the two."
                written[alias] = {**field, "title": alias.replace("_", " ").title(), "description": about}
        schema["properties"] = cast("JsonValue", written)
        required = [name for name in cast("list[str]", schema.pop("required", [])) if name not in ALIASES]
        if required:
            schema["required"] = cast("JsonValue", required)
        schema["examples"] = [example]

    return extend
