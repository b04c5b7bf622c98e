"""Every invalid request gets a problem document with a remedy, never a traceback or a 500."""

import json

import asyncpg
import httpx
import pytest
from fastapi import APIRouter
from prometheus_client import generate_latest
from pydantic import BaseModel

from clay_push_service.api.app import create_app
from clay_push_service.database.database import Database
from tests.harness.api import Api
from tests.harness.settings import access_token, make_settings

CONFIG = "/api/clay/config"
RESULTS = "/api/clay/results/{endpoint_id}"
RUN_FINISHED = "/api/clay/enrichment/run-finished/{endpoint_id}"
"""Clay authenticates results with another kind of token."""
JSON = {"Content-Type": "application/json"}


def problem_of(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= problem.keys()
    assert problem["status"] == answer.status_code
    assert isinstance(problem["detail"], str)
    assert "Traceback" not in answer.text
    return problem


async def put_raw(app: Api, body: bytes) -> httpx.Response:
    sent = JSON | {"Authorization": f"Bearer {access_token('owner')}"}
    return await app.http.put(CONFIG, content=body, headers=sent)


async def test_unknown_routes_and_wrong_methods_get_problem_documents(app_client: Api) -> None:
    assert problem_of(await app_client.get("/api/clay/nothing-here"))["code"] == "route_not_found"
    answer = await app_client.send("PATCH", CONFIG)
    assert problem_of(answer)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT"
    for path, allowed in (("mappings/preview", "POST"), ("mappings/fields", "GET, HEAD")):
        assert (await app_client.send("PATCH", f"/api/clay/{path}")).headers["allow"] == allowed
    assert problem_of(await app_client.get(CONFIG + "/"))["status"] == 404


DEEP = b"[" * 8_000 + b"]" * 8_000
BODIES = {
    "not JSON": b"{",
    "empty": b"",
    "deep list": DEEP,
    "deep object": b'{"a":' * 2_500 + b"1" + b"}" * 2_500,
    "deep below the parser's limit": b'{"table_name":' + b"[" * 990 + b"]" * 990 + b"}",
    "NUL": b'{"table_name": "a\\u0000b"}',
    "NUL in a key": b'{"a\\u0000b": 1}',
    "raw NUL": b'{"table_name": "a\x00b"}',
    "lone surrogate": b'{"table_name": "\\ud800"}',
    "lone surrogate in a key": b'{"\\udc00": 1}',
    "NaN": b'{"rate_limit_ms": NaN}',
    "Infinity": b'{"rate_limit_ms": -Infinity}',
    "huge number": b'{"rate_limit_ms": ' + b"9" * 5000 + b"}",
    "not UTF-8": b'{"table_name": "\xff\xfe"}',
    "UTF-16": '{"table_name": "a"}'.encode("utf-16"),
    "a list": b"[]",
    "null": b"null",
    "unknown field": b'{"webhok_url": "x"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_an_invalid_body_gives_a_client_error(app_client: Api, body: bytes) -> None:
    answer = await put_raw(app_client, body)
    assert answer.status_code == 422, answer.text
    problem = problem_of(answer)
    assert problem["code"] == "invalid_request"
    assert len(answer.content) < 5000


async def test_an_escaped_backslash_before_u0000_is_not_a_nul_character(app_client: Api) -> None:
    answer = await put_raw(
        app_client, json.dumps({"table_name": "a\\u0000", "webhook_url": "https://api.clay.com/v3/x"}).encode()
    )
    assert answer.status_code == 200
    assert answer.json()["table_name"] == "a\\u0000"


async def test_a_body_of_20_mb_is_refused_before_it_is_read(app_client: Api) -> None:
    answer = await put_raw(app_client, b" " * 20_000_000)
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/api/clay/config?a=%00", "/api/clay/%00"])
async def test_a_nul_character_in_the_path_is_refused(app_client: Api, path: str) -> None:
    assert problem_of(await app_client.get(path))["status"] == 400


async def test_the_message_names_invalid_fields_without_their_values(app_client: Api) -> None:
    answer = await app_client.put(CONFIG, "owner", {"rate_limit_ms": -5, "webhook_token": "geheim\x01secret"})
    problem = problem_of(answer)
    assert (
        problem["detail"]
        == "webhook_token: must contain only printable ASCII characters, because it is sent as an HTTP header (1 more)."
    )
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert [error["field"] for error in errors] == ["webhook_token", "rate_limit_ms"]
    assert "secret" not in answer.text


async def test_a_well_formed_request_id_is_kept(app_client: Api) -> None:
    answer = await app_client.get(CONFIG, headers={"X-Request-Id": "abc-123"})
    assert answer.headers["x-request-id"] == problem_of(answer)["request_id"] == "abc-123"
    for bad in ("a b", "x" * 65, 'a"b', ""):
        made = (await app_client.get("/healthz", headers={"X-Request-Id": bad})).headers["x-request-id"]
        assert made != bad
        assert len(made) == 32


async def test_responses_have_security_headers(app_client: Api) -> None:
    for path in ("/healthz", "/nothing"):
        headers = (await app_client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]


class Echo(BaseModel):
    text: str


async def test_an_unexpected_error_is_logged_and_its_details_are_not_sent(app_client: Api) -> None:
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> Echo:
        raise RuntimeError("a secret of the inside")

    app_client.app.include_router(router)
    answer = await app_client.get("/broken")
    problem = problem_of(answer)
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert problem["request_id"]


async def test_an_unreachable_database_gives_503_with_retry_after(database_url: str) -> None:
    gone = Database("postgresql://nobody:nothing@127.0.0.1:1/none", pool_size=1)
    app = create_app(make_settings(database_url), database=gone)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        answer = await http.get(CONFIG, headers={"Authorization": "Bearer cps_00000000_" + "A" * 43})
        assert (answer.status_code, problem_of(answer)["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"] == "5"
        assert "127.0.0.1" not in answer.text
    await gone.close()


async def test_connections_closed_by_the_server_cause_at_most_one_503(app_client: Api) -> None:
    assert (await app_client.get(CONFIG, "owner")).status_code == 200
    same_role = await asyncpg.connect(app_client.app.state.settings.database_url)
    await same_role.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clay-push-web'"
        " AND datname = current_database()"
    )
    await same_role.close()
    answer = await app_client.get(CONFIG, "owner")  # 200 if the pool has already noticed the closed connection
    assert answer.status_code == 200 or problem_of(answer)["code"] == "database_unavailable"
    assert (await app_client.get(CONFIG, "owner")).status_code == 200


async def test_renamed_host_tables_give_503_until_they_are_back(app_client: Api) -> None:
    assert (await app_client.get(CONFIG, "owner")).status_code == 200
    await app_client.host.connection.execute("ALTER TABLE users RENAME TO people")
    answer = await app_client.get(CONFIG, "owner")
    assert answer.status_code == 503
    await app_client.host.connection.execute("ALTER TABLE people RENAME TO users")
    assert (await app_client.get(CONFIG, "owner")).status_code == 200


async def test_a_failing_commit_is_not_reported_as_success(app_client: Api) -> None:
    """The transaction ends before the response starts, so a deferred constraint that fails at commit cannot give 200."""
    await app_client.put(CONFIG, "owner", {"webhook_url": "https://api.clay.com/v3/x"})
    await app_client.host.connection.execute(
        """
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'at commit' USING ERRCODE = '40001'; END $$;
        CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON clay.destinations DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION public.fail();
        """
    )
    answer = await app_client.send("DELETE", CONFIG, "owner")
    assert answer.status_code == 503
    await app_client.host.connection.execute("DROP FUNCTION public.fail() CASCADE")
    assert (await app_client.get(CONFIG, "owner")).json()["configured"] is True


async def test_the_metric_of_requests_is_labelled_by_route_and_not_by_path(app_client: Api) -> None:
    await app_client.get(CONFIG, "owner")
    await app_client.get("/wp-admin/setup.php")
    await app_client.send("BREW", "/healthz")
    report = generate_latest().decode()
    assert 'clay_push_request_seconds_count{method="GET",route="/api/clay/config",status="200"}' in report
    assert "wp-admin" not in report
    assert "BREW" not in report


async def test_openapi_documents_every_problem(app_client: Api) -> None:
    assert (await app_client.get("/openapi.json")).status_code == 404, (
        "only liveness and readiness need no authentication"
    )
    document = app_client.app.openapi()
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert {"422", "500", "503"} <= answers.keys(), (method, path)
            assert "application/problem+json" in answers["500"]["content"]
            if path == RESULTS:
                assert {"400", "401"} <= answers.keys()
                assert operation["security"] == [{"results_token": []}, {"results_token_header": []}]
            elif path == RUN_FINISHED:
                assert {"400", "401"} <= answers.keys()
                assert operation["security"] == [{"run_signature": []}]
            elif path.startswith("/api/"):
                assert {"400", "401", "403"} <= answers.keys(), (method, path)
                assert operation["security"] == [{"bearer": []}]
