"""Error messages of refused requests: the problem, the allowed values, and a suggestion for a misspelled name."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.harness.api import WEBHOOK, Api
from tests.harness.settings import access_token

ID = str(UUID(int=1))
CONFIG, PUSH, FILTERED = "/api/clay/config", "/api/clay/push", "/api/clay/push-filtered"
RETRY = f"/api/clay/jobs/{ID}/retry"
RULE = f"/api/clay/projects/{ID}/auto-export"


async def sent(
    app: Api, content: bytes, headers: Mapping[str, str], method: str = "PUT", path: str = CONFIG
) -> httpx.Response:
    return await app.http.request(
        method, path, content=content, headers={"Authorization": f"Bearer {access_token('owner')}", **headers}
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "report"),
    [
        ("POST", PUSH, {"leadIds": [ID]}, "leadIds: is not a field of this request; did you mean `lead_ids`? (1 more)."),
        ("POST", PUSH, {"lead_ids": None}, "lead_ids: must be a list, not null."),
        ("POST", PUSH, {"lead_ids": "x"}, "lead_ids: must be a list."),
        ("POST", PUSH, {"lead_ids": []}, "lead_ids: must name at least 1."),
        ("POST", PUSH, {"lead_ids": ["x"]}, "lead_ids.0: must be a UUID."),
        ("POST", PUSH, {}, "lead_ids: is required."),
        ("POST", PUSH, [], "body: must be an object."),
        ("POST", PUSH, {"lead_ids": [ID], "push_again": "perhaps"}, "push_again: must be true or false."),
        (
            "POST", PUSH, {"lead_ids": [ID], "zebra": 1},
            (
                "zebra: is not a field of this request; known are `lead_ids`, `contributor_ids`, `project_id`, `push_again`,"
                " `destination_id`, `anywhere`, `sync_mode`."
            ),
        ),
        (
            "POST", FILTERED, {"project_id": ID, "filters": {"minScore": 1}},
            "filters.minScore: is not a field of this request; did you mean `min_score`?",
        ),
        ("POST", FILTERED, {"project_id": ID, "filters": {"companies": None}}, "filters.companies: must be a list, not null."),
        ("POST", FILTERED, {"project_id": ID, "filters": {"min_score": 101}}, "filters.min_score: must be at most 100."),
        (
            "POST", FILTERED, {"project_id": ID, "push_mode": "Filtered"},
            "push_mode: must be one of `filtered`, `all`; did you mean `filtered`?",
        ),
        ("PUT", CONFIG, {"webhookUrl": WEBHOOK}, "webhookUrl: is not a field of this request; did you mean `webhook_url`?"),
        ("PUT", CONFIG, {"rate_limit_ms": "200"}, "rate_limit_ms: must be a whole number."),
        ("PUT", CONFIG, {"table_name": 1}, "table_name: must be a text."),
        ("PUT", RULE, {"enabled": "yes"}, "enabled: must be true or false."),
        ("POST", RETRY, {"leadIds": [ID]}, "leadIds: is not a field of this request; did you mean `lead_ids`?"),
    ],
)  # fmt: skip
async def test_the_message_names_an_invalid_field_in_plain_words(
    app_client: Api, method: str, path: str, body: Any, report: str
) -> None:
    answer = await app_client.send(method, path, "owner", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (422, report)


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        (
            "status=Failed",
            "status: must be one of `pending`, `success`, `failed`, `skipped`",
            "; did you mean `failed`?",
        ),
        ("status=tired", "status: must be one of `pending`, `success`, `failed`, `skipped`.", ""),
        ("cause=rejectd", "cause: must be one of `already_in_clay`, ", "; did you mean `rejected`?"),
        ("limit=x", "limit: must be a whole number.", ""),
        ("limit=0", "limit: must be at least 1.", ""),
    ],
)
async def test_the_message_for_an_invalid_parameter_lists_the_allowed_values(
    app_client: Api, query: str, start: str, end: str
) -> None:
    answer = await app_client.get(f"/api/clay/jobs/{ID}/leads?{query}", "owner")
    detail = answer.json()["detail"]
    assert answer.status_code == 422
    assert detail.startswith(start)
    assert detail.endswith(end)


async def test_the_message_for_an_unknown_retry_cause_lists_the_allowed_causes(app_client: Api) -> None:
    answer = await app_client.send("POST", RETRY, "owner", json={"causes": ["server-error"]})
    assert answer.json()["detail"].startswith("causes.0: must be one of `already_in_clay`")
    assert answer.json()["detail"].endswith("; did you mean `server_error`?")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/merge-patch+json",
        "text/json",
        "json",
        ";",
    ],
)
async def test_a_body_with_another_content_type_than_json_gives_415(app_client: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for method, path in (("PUT", CONFIG), ("POST", RETRY), ("POST", "/api/integrations/clay/push")):
        answer = await sent(app_client, b"{}", headers, method, path)
        assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported"), path
        assert "`Content-Type: application/json`" in answer.json()["detail"]
        assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "identity, gzip"])
async def test_a_compressed_body_gives_415(app_client: Api, encoding: str) -> None:
    answer = await sent(app_client, b"{}", {"Content-Type": "application/json", "Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")
    assert "Content-Encoding" in answer.json()["detail"]


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;"])
async def test_json_with_a_byte_order_mark_is_accepted(app_client: Api, content_type: str) -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"webhook_url": WEBHOOK, "table_name": "Žluťoučký"}).encode()
    answer = await sent(app_client, body, {"Content-Type": content_type})
    assert (answer.status_code, answer.json()["table_name"]) == (200, "Žluťoučký")


async def test_a_request_without_a_body_needs_no_content_type(app_client: Api) -> None:
    assert (await sent(app_client, b"", {}, "POST", RETRY)).status_code != 415


@pytest.mark.parametrize(
    "path",
    [
        "/healthz", "/readyz", "/metrics", "/status", "/api/clay/config", "/api/clay/status", "/api/clay/jobs", "/api/clay/audit",
        f"/api/clay/jobs/{ID}", f"/api/clay/jobs/{ID}/leads", f"/api/clay/jobs/{ID}/events", "/api/integrations/clay/config",
        "/nothing", "/api/clay/config?nonsense=1", PUSH,
    ],
)  # fmt: skip
async def test_head_returns_the_headers_of_get_without_a_body(app_client: Api, path: str) -> None:
    got = await app_client.get(path, "owner")
    head = await app_client.send("HEAD", path, "owner")
    assert (head.status_code, head.content) == (got.status_code, b"")
    changing = {"x-request-id", "content-length"}  # a problem document contains the id of the request
    assert {name for name in head.headers if name not in changing} == {
        name for name in got.headers if name not in changing
    }


async def test_head_requires_authentication_as_get_does(app_client: Api) -> None:
    assert (await app_client.send("HEAD", CONFIG)).status_code == 401
