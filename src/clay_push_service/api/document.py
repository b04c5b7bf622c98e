"""Completes FastAPI's OpenAPI document: problem responses, response headers, servers, and schema names for client generators."""

from collections.abc import Mapping
from typing import Any, Final

from clay_push_service import problems
from clay_push_service.api.description import EXAMPLES
from clay_push_service.problem_codes import PROBLEM_CODES

Json = dict[str, Any]
REF: Final = "#/components/schemas/"
SERVERS: Final = [
    {
        "url": "/",
        "description": "The server of this document, beside NexusLeads; set the base URL of a client accordingly.",
    },
    {"url": "http://127.0.0.1:8080", "description": "`clay-push serve` with its default settings."},
]
CONTACT: Final = {"name": "The operator of your NexusLeads"}
LICENSE: Final = {"name": "Proprietary", "identifier": "LicenseRef-Proprietary"}
RENAMED: Final[Mapping[str, str]] = {
    "Cause": "CauseCode", "Clause": "RuleClause", "Integrations": "IntegrationsByName",
    "Kind": "EnrichmentKind", "LastPush": "LastPushView", "LeftOut": "LeftOutLeads", "Level": "AdviceLevel", "PushMode": "PushModeCode",
    "Totals": "TotalsView", "Waiting": "WaitingView", "Status": "ServiceStatus", "Who": "WhoActs",
}  # fmt: skip
"""Schemas that share the name of a property which refers to them: some generators then create a field that hides its type."""
HEADERS: Final[Json] = {
    "X-Request-Id": {
        "description": "Id of this request; send your own (1 to 64 letters, digits and `._:/+=-`), or the service creates one.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {"description": "Path of the created resource.", "required": True, "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before a retry.", "schema": {"type": "integer", "minimum": 0}},
}
"""Components that responses refer to."""
ALWAYS_LATER: Final = frozenset({"429", "503"})
"""Statuses that always carry Retry-After; 409 carries it with `idempotency_key_in_use`."""


def complete(document: Json) -> Json:
    document["info"] |= {"contact": CONTACT, "license": LICENSE}
    components = document.setdefault("components", {})
    components["headers"] = {**HEADERS, "Retry-Later": {**HEADERS["Retry-After"], "required": True}}
    schemas: Json = components.setdefault("schemas", {})
    _add_problem(schemas)
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.setdefault("security", [])
            _make_body_plain(operation)
            for status, response in operation["responses"].items():
                _add_headers(status, response)
                for content in response.get("content", {}).values():
                    content.pop("itemSchema", None)  # FastAPI adds it to event streams; OpenAPI 3.1 has no such key
    renamed: Json = _renamed(document)
    _sort_schemas(renamed)
    return {"openapi": renamed.pop("openapi"), "info": renamed.pop("info"), "servers": SERVERS, **renamed}


def _add_problem(schemas: Json) -> None:
    made = problems.Problem.model_json_schema(ref_template=REF + "{model}")
    schemas.update(made.pop("$defs", {}))
    schemas["ProblemCode"] = {
        "type": "string",
        "enum": [*PROBLEM_CODES, problems.OF_FRAMEWORK],
        "description": "Stable code for programs; the table in the introduction explains each.",
    }
    made["properties"]["code"] = {"$ref": f"{REF}ProblemCode", "description": made["properties"]["code"]["description"]}
    schemas["Problem"] = made
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)


def _add_headers(status: str, response: Json) -> None:
    headers: Json = response.setdefault("headers", {})
    headers["X-Request-Id"] = {"$ref": "#/components/headers/X-Request-Id"}
    if status in ALWAYS_LATER:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-Later"}
    elif status == "409":
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}


def _make_body_plain(operation: Json) -> None:
    """Reduce an optional body to a plain reference: FastAPI adds its default, the empty object."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "$ref" in content["schema"]:
            content["schema"] = {"$ref": content["schema"]["$ref"]}


def _renamed(value: Any) -> Any:
    if isinstance(value, list):
        return [_renamed(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _renamed(each) for name, each in value.items()}
    reference = made.get("$ref")
    if isinstance(reference, str) and reference.startswith(REF):
        name = reference.removeprefix(REF)
        made["$ref"] = REF + RENAMED.get(name, name)
    return made


def _sort_schemas(document: Json) -> None:
    schemas: Json = document["components"]["schemas"]
    named = {RENAMED.get(name, name): schema for name, schema in schemas.items()}
    for name, new in RENAMED.items():
        if name in schemas and "title" in named[new]:
            named[new]["title"] = new
    document["components"]["schemas"] = dict(sorted(named.items()))
