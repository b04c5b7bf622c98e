"""The public endpoint: who may send, what is refused before parsing, and that a result is stored before the response."""

import asyncio
import json
from uuid import uuid4

import pytest

from clay_push_service.enrichment.inbound.body import MAX_BYTES
from tests.enrichment.results import results
from tests.harness.api import OTHER_WEBHOOK


async def test_a_result_is_stored_before_the_response_which_lists_the_recognised_fields(database_url: str) -> None:
    async with results(database_url) as app:
        body = {
            "Lead_ID": str(app.lead_id),
            "Email": "ada@example.com",
            "phone": "",
            "row_color": "red",
            "company_size": "many",
        }
        answer = await app.post(body)
        assert answer.status_code == 200
        assert await app.states() == [("stored", None)]
        found = answer.json()
        assert (found["received"], found["known"], found["repeated"]) == (True, False, False)
        assert (found["recognised"], found["not_found"], found["ignored"]) == (["email"], ["phone"], ["row_color"])
        assert found["message"] == "Received 1 value: email."
        assert found["warnings"] == ["company_size: This is not a number or a range of employees."]
        assert "ada" not in answer.text, "the answer names fields, not values"
        [row] = await app.api.host.connection.fetch("SELECT sealed_body FROM clay.inbound_results")
        assert b"ada" not in row["sealed_body"]
        assert await app.apply() == 1
        assert await app.states() == [("applied", None)]
        assert await app.current() == "ada@example.com"


async def test_both_headers_are_accepted(database_url: str) -> None:
    async with results(database_url) as app:
        body = {"lead_id": str(app.lead_id)}
        for headers in (
            {"Authorization": f"Bearer {app.token}"}, {"authorization": f"bearer  {app.token}"}, {"X-Clay-Push-Token": app.token},
            {"X-Clay-Push-Token": app.token, "Authorization": "Bearer something else"},
        ):  # fmt: skip
            assert (await app.post(body, headers)).status_code == 200, headers


async def test_every_wrong_token_and_unknown_endpoint_gets_the_same_answer(database_url: str) -> None:
    async with results(database_url) as app:
        other = await app.api.call("POST", "/api/clay/results-tokens", status=201, who="other_owner")
        revoked = await app.api.call("POST", "/api/clay/results-tokens", status=201)
        path = f"/api/clay/results-tokens/{revoked['view']['id']}"
        await app.api.send("DELETE", path, "owner")
        answers = []
        for headers, place in (
            ({}, None), ({"Authorization": "Bearer"}, None), ({"Authorization": f"Basic {app.token}"}, None),
            ({"Authorization": "Bearer crt_x"}, None), ({"Authorization": f"Bearer {app.token}x"}, None),
            ({"Authorization": f"Bearer {app.token[:-1]}"}, None), ({"X-Clay-Push-Token": "x" * 5000}, None),
            ({"Authorization": f"Bearer {other['token']}"}, None), ({"Authorization": f"Bearer {revoked['token']}"}, None),
            ({"Authorization": f"Bearer {app.token}"}, other["path"]),
            ({"Authorization": f"Bearer {app.token}"}, f"/api/clay/results/{uuid4()}"),
            ({"Authorization": f"Bearer {app.token}"}, "/api/clay/results/not-an-id"),
        ):  # fmt: skip
            answer = await app.post({"lead_id": str(app.lead_id)}, headers, path=place)
            answers.append((answer.status_code, {**answer.json(), "request_id": None}))
        assert {status for status, _ in answers} == {401}
        assert len({json.dumps(report) for _, report in answers}) == 1
        assert await app.states() == []


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"x" * (MAX_BYTES + 1), "application/json", 413, "body_too_large"),
        (b"{}", "text/plain", 415, "media_type_unsupported"),
        (b"[" * 1000, "application/json", 422, "invalid_request"),
        (b'{"a": "x" y"}', "application/json", 422, "invalid_request"),
        (b"", "application/json", 422, "invalid_request"),
        (b"\xff\xfe", "application/json", 422, "invalid_request"),
    ],
)
async def test_a_body_that_is_no_result_is_refused(
    database_url: str, body: bytes, content_type: str, status: int, code: str
) -> None:
    async with results(database_url) as app:
        answer = await app.post(body, content_type=content_type)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await app.post(body, {}, content_type=content_type)).status_code == 401, "the token is checked first"
        assert await app.states() == []


async def test_the_largest_body_is_accepted(database_url: str) -> None:
    async with results(database_url) as app:
        body = json.dumps({"lead_id": str(app.lead_id), "x": ""}).encode()
        assert (await app.post(body[:-2] + b"a" * (MAX_BYTES - len(body)) + body[-2:])).status_code == 200


async def test_a_body_that_arrives_again_is_one_result(database_url: str) -> None:
    async with results(database_url) as app:
        body = {"lead_id": str(app.lead_id), "email": "ada@example.com"}
        first = await app.send(body)
        await app.apply()
        for _ in range(3):
            again = await app.send(body)
            assert (again["result_id"], again["repeated"]) == (first["result_id"], True)
            await app.apply()
        assert await app.states() == [("applied", None)]
        assert (await app.field())["history_count"] == 1
        [row] = await app.api.host.connection.fetch("SELECT seen_count FROM clay.inbound_results")
        assert row["seen_count"] == 4


async def test_a_rotation_loses_no_result(database_url: str) -> None:
    async with results(database_url) as app:
        new = await app.api.call("POST", "/api/clay/results-tokens", status=201)
        assert new["path"] == app.path, "the endpoint stays"
        third = await app.api.call("POST", "/api/clay/results-tokens", status=409)
        assert third["code"] == "too_many_tokens"
        body = {"lead_id": str(app.lead_id)}
        for token in (app.token, new["token"]):
            assert (await app.post(body, {"X-Clay-Push-Token": token})).status_code == 200
        listed = await app.api.call("GET", "/api/clay/results-tokens")
        assert [each["last_used_at"] is not None for each in listed["tokens"]] == [True, True]
        assert app.token not in json.dumps(listed)
        old = listed["tokens"][0]["id"]
        revoked = await app.api.send("DELETE", f"/api/clay/results-tokens/{old}", "owner")
        assert revoked.status_code == 204
        assert (await app.post(body, {"X-Clay-Push-Token": app.token})).status_code == 401
        assert (await app.post(body, {"X-Clay-Push-Token": new["token"]})).status_code == 200
        again = await app.api.send("DELETE", f"/api/clay/results-tokens/{old}", "owner")
        assert again.json()["code"] == "results_token_not_found"
        assert (await app.api.call("POST", "/api/clay/results-tokens", status=201))["path"] == app.path


async def test_the_organizations_own_limits_do_not_apply(database_url: str) -> None:
    """Never 429: Clay would lose the row."""
    async with results(database_url, requests_per_organization=1, turn_wait_seconds=0.01) as app:
        bodies = [{"lead_id": str(app.lead_id), "industry": str(number)} for number in range(60)]
        answers = await asyncio.gather(*(app.post(each) for each in bodies))
        assert {each.status_code for each in answers} == {200}
        assert await app.apply() == 60


async def test_without_encryption_keys_nothing_is_stored_in_clear(database_url: str) -> None:
    async with results(database_url) as app:
        app.api.app.state.box = None
        answer = await app.post({"lead_id": str(app.lead_id), "email": "ada@example.com"})
        assert (answer.status_code, answer.json()["code"]) == (503, "encryption_keys_missing")
        assert (await app.post({}, {})).status_code == 401
        assert OTHER_WEBHOOK not in answer.text
        assert await app.states() == []
