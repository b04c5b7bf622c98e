"""openapi.yaml matches the code, and describes every route, parameter and property, with examples that match their schemas."""

from pathlib import Path

import jsonschema_rs
import pytest

from clay_push_service.commands.openapi import as_yaml
from tests.support.description import described

COMMITTED = Path(__file__).parents[1] / "openapi.yaml"
DESCRIBED = described()


def test_the_committed_description_matches_the_code() -> None:
    assert COMMITTED.read_text() == as_yaml(), "run make openapi"


def test_no_two_schemas_have_the_same_name() -> None:
    """If two models have the same name, FastAPI adds module paths to the names, and generators treat both models as one."""
    assert [name for name in DESCRIBED["components"]["schemas"] if "__" in name] == []


@pytest.mark.parametrize("name", DESCRIBED["components"]["schemas"])
def test_every_property_is_described(name: str) -> None:
    properties = DESCRIBED["components"]["schemas"][name].get("properties", {})
    assert [each for each, report in properties.items() if not report.get("description")] == []


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, found in DESCRIBED["paths"].items() for method in found]
)
def test_every_route_and_every_parameter_is_described(path: str, method: str) -> None:
    route = DESCRIBED["paths"][path][method]
    assert route["summary"]
    assert route["description"]
    assert [each["name"] for each in route.get("parameters", []) if not each.get("description")] == []
    assert set(route["tags"]) <= {tag["name"] for tag in DESCRIBED["tags"]}


@pytest.mark.parametrize(
    "name",
    [
        "JobView",
        "StatusView",
        "LeadView",
        "DeliveryView",
        "RetryBody",
        "PreviewBody",
        "PushBody",
        "Preview",
        "ServiceStatus",
    ],
)
def test_the_most_used_schemas_have_a_complete_example(name: str) -> None:
    assert DESCRIBED["components"]["schemas"][name]["examples"]


@pytest.mark.parametrize(
    "name", [name for name, report in DESCRIBED["components"]["schemas"].items() if "examples" in report]
)
def test_an_example_matches_its_schema(name: str) -> None:
    found = DESCRIBED["components"]["schemas"][name]
    whole = {"$ref": f"#/components/schemas/{name}", "components": DESCRIBED["components"]}
    for example in found["examples"]:
        jsonschema_rs.validate(whole, example)
        assert set(example) <= set(found["properties"]) or found.get("additionalProperties")


@pytest.mark.parametrize("name", ["PushBody", "PreviewBody", "ErasureBody"])
def test_a_client_generated_from_the_description_can_send_contributor_ids(name: str) -> None:
    body = DESCRIBED["components"]["schemas"][name]
    assert body["additionalProperties"] is False
    ids, twin = body["properties"]["lead_ids"], body["properties"]["contributor_ids"]
    assert {key: report for key, report in ids.items() if key not in {"title", "description"}} == {
        key: report for key, report in twin.items() if key not in {"title", "description"}
    }
    assert not {"lead_ids", "contributor_ids"} & set(body.get("required", []))
