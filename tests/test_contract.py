"""openapi.yaml has the form that linters and client generators require. `make test-contract` runs them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from clay_push_service.callers.caller import Scope
from clay_push_service.problem_codes import PROBLEM_CODES
from tests.harness.api import Api, run_api_with_leads
from tests.support.description import described

DESCRIBED = described()
SCHEMAS = DESCRIBED["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation for methods in DESCRIBED["paths"].values() for operation in methods.values()
}


def referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for each in schema.values():
            yield from referred(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from referred(each)


def plain(name: str) -> str:
    return name.replace("_", "").lower()


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_property_has_the_name_of_its_schema_or_of_a_schema_that_it_refers_to(name: str) -> None:
    for prop, schema in SCHEMAS[name].get("properties", {}).items():
        assert plain(prop) not in {plain(name), *map(plain, referred(schema))}


def test_the_document_has_the_fields_that_linters_and_generators_require() -> None:
    assert all(server["url"] for server in DESCRIBED["servers"])
    assert DESCRIBED["info"]["license"]["name"]
    assert DESCRIBED["info"]["contact"]["name"]
    open_to_all = {name for name, operation in OPERATIONS.items() if operation["security"] == []}
    assert open_to_all == {"healthz", "readyz"}


def test_the_code_of_a_problem_is_an_enum() -> None:
    assert SCHEMAS["Problem"]["properties"]["code"]["$ref"].endswith("/ProblemCode")
    assert set(SCHEMAS["ProblemCode"]["enum"]) == {*PROBLEM_CODES, "http_error"}


def test_the_event_stream_consists_of_jobs() -> None:
    content = OPERATIONS["watch_job"]["responses"]["200"]["content"]["text/event-stream"]
    assert "JobView" in set(referred(content))


@pytest.mark.parametrize(("operation", "schema"), [("retry_job", "RetryBody"), ("run_auto_export", "RunBody")])
def test_an_optional_body_is_a_plain_reference(operation: str, schema: str) -> None:
    body = OPERATIONS[operation]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{schema}"}
    assert not body.get("required", False)


@pytest.mark.parametrize("name", OPERATIONS)
def test_response_headers_are_described(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        assert "X-Request-Id" in response["headers"]
        assert ("Retry-After" in response["headers"]) == (status in {"409", "429", "503"})


def test_responses_that_create_something_have_a_location_header() -> None:
    for name, status in (("push", "202"), ("push_filtered", "202"), ("retry_job", "202"), ("erase_leads", "201")):
        assert "Location" in OPERATIONS[name]["responses"][status]["headers"]


async def test_described_headers_are_sent(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as p:
        app = p
        body = {"lead_ids": [str(p.lead_ids[0])]}
        pushed = await app.send("POST", "/api/clay/push", "owner", json=body)
        job = pushed.headers["location"]
        assert (await app.get(job, "owner")).json()["id"] == pushed.json()["job_id"]
        await app.send("POST", f"{job}/cancel", "owner")
        retried = await app.send("POST", f"{job}/retry", "owner")
        assert retried.headers["location"] == f"/api/clay/jobs/{retried.json()['job_id']}"
        erased = await app.send("POST", "/api/clay/erasures", "owner", json=body)
        assert (await app.get(erased.headers["location"], "owner")).status_code == 200
        for answer in (pushed, retried, erased):
            assert answer.headers["x-request-id"]


async def test_every_503_response_has_a_retry_after_header(app_client: Api) -> None:
    who = await app_client.key(Scope.OPS, Scope.READ)
    await app_client.host.connection.execute("DROP SCHEMA clay CASCADE")
    for path in ("/readyz", "/api/clay/config", "/status"):
        answer: httpx.Response = await app_client.get(path, who)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
