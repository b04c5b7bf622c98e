"""The sandbox enforces the published limits of Clay."""

import asyncio

import pytest

from clay_push_service.sandbox.limits import TokenBucket, WorkspaceLimits
from tests.sandbox.webhook import Webhook, payload
from tests.support.sandbox import SandboxProcess


async def test_a_post_becomes_one_row_and_the_response_has_no_row_id(webhook: Webhook) -> None:
    answer = await webhook.post(payload("d-7", "l-7"))
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    (row,) = await webhook.sandbox.rows(webhook.source)
    assert (row["delivery_id"], row["lead_id"], row["body"]) == ("d-7", "l-7", payload("d-7", "l-7"))


async def test_a_burst_of_20_is_accepted_and_further_requests_get_429(
    sandbox: SandboxProcess, webhook: Webhook
) -> None:
    await sandbox.limit(webhook.source, rate=0.001, burst=20)
    answers = [await webhook.post() for _ in range(30)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 10
    refused = answers[20:]
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert all(answer.json()["type"] == "TooManyRequests" for answer in refused)
    counts = await sandbox.counts(webhook.source)
    assert counts["rows"] == counts["submissions"] == 20
    assert counts["refused"] == {"rate_limited": 10}


async def test_webhooks_of_one_workspace_share_its_rate(sandbox: SandboxProcess, webhook: Webhook) -> None:
    await sandbox.limit("shared", rate=0.01, burst=2)
    await sandbox.create_source("one", workspace="shared")
    await sandbox.create_source("two", workspace="shared")
    statuses = [
        (await webhook.client.post(sandbox.webhook_url(name), json={})).status_code for name in ("one", "two", "one")
    ]
    assert statuses == [200, 200, 429]
    assert (await webhook.post()).status_code == 200


def test_an_empty_bucket_refills_at_its_rate_up_to_its_burst() -> None:
    bucket = TokenBucket(WorkspaceLimits(10.0, 20), now=0.0)
    assert [bucket.take(0.0) for _ in range(21)] == [True] * 20 + [False]
    assert [bucket.take(0.125), bucket.take(0.125)] == [True, False]
    assert sum(bucket.take(1000.0) for _ in range(100)) == 20


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_another_content_type_is_refused(webhook: Webhook, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await webhook.client.post(webhook.url, content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


async def test_a_charset_in_the_content_type_is_accepted(webhook: Webhook) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    assert (await webhook.client.post(webhook.url, content=b"{}", headers=headers)).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":NaN}', b'{"a":"\xff"}', b"[" * 5000 + b"]" * 5000])
async def test_a_body_that_is_not_json_is_refused(webhook: Webhook, body: bytes) -> None:
    answer = await webhook.client.post(webhook.url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert await webhook.sandbox.rows(webhook.source) == []


async def test_an_array_becomes_one_row(webhook: Webhook) -> None:
    assert (await webhook.post([{"a": 1}, {"a": 2}, {"a": 3}])).status_code == 200
    (row,) = await webhook.sandbox.rows(webhook.source)
    assert row["body"] == [{"a": 1}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize(("size", "status"), [(100_000, 200), (100_001, 413), (5_000_000, 413)])
async def test_a_payload_has_at_most_100_kb(webhook: Webhook, size: int, status: int) -> None:
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'
    answer = await webhook.client.post(webhook.url, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status


async def test_a_missing_or_wrong_token_is_refused(sandbox: SandboxProcess, webhook: Webhook) -> None:
    await sandbox.change_source(webhook.source, token="s3cret")
    statuses = [(await webhook.post(token=token)).status_code for token in (None, "S3cret", "s3cret")]
    assert statuses == [401, 401, 200]


async def test_a_source_without_a_token_accepts_any_token(webhook: Webhook) -> None:
    assert (await webhook.post(token="any-token")).status_code == 200


async def test_the_cap_also_counts_deleted_rows(sandbox: SandboxProcess, webhook: Webhook) -> None:
    await sandbox.change_source(webhook.source, cap=2)
    assert [(await webhook.post()).status_code for _ in range(2)] == [200, 200]
    await sandbox.delete_rows(webhook.source)
    answer = await webhook.post()
    assert (answer.status_code, answer.json()["message"]) == (403, "Record limit reached for webhook")
    counts = await sandbox.counts(webhook.source)
    assert (counts["rows"], counts["submissions"]) == (0, 2)


async def test_concurrent_requests_cannot_exceed_the_cap(sandbox: SandboxProcess, webhook: Webhook) -> None:
    await sandbox.change_source(webhook.source, cap=5)
    answers = await asyncio.gather(*(webhook.post() for _ in range(25)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [403] * 20
    assert len(await sandbox.rows(webhook.source)) == 5


async def test_a_source_without_a_cap_accepts_more_rows(sandbox: SandboxProcess, webhook: Webhook) -> None:
    await sandbox.change_source(webhook.source, cap=None, submissions=50_000)
    assert (await webhook.post()).status_code == 200
    await sandbox.change_source(webhook.source, cap=50_000)
    assert (await webhook.post()).status_code == 403


async def test_an_unknown_or_deleted_source_gives_404(sandbox: SandboxProcess, webhook: Webhook) -> None:
    assert (await webhook.client.post(sandbox.webhook_url("unknown"), json={})).status_code == 404
    await sandbox.delete_source(webhook.source)
    assert (await webhook.post()).status_code == 404


async def test_the_admin_api_accepts_only_json_and_names_invalid_fields(sandbox: SandboxProcess) -> None:
    plain = await sandbox.admin.post("/sandbox/sources", content=b'{"id":"x"}', headers={"content-type": "text/plain"})
    wrong = await sandbox.admin.post("/sandbox/sources", json={"id": "../x", "speed": 3})
    again = [(await sandbox.admin.post("/sandbox/sources", json={"id": "x"})).status_code for _ in range(2)]
    assert (plain.status_code, wrong.status_code, again) == (415, 422, [201, 409])
    assert {tuple(problem["loc"]) for problem in wrong.json()["errors"]} == {("id",), ("speed",)}


async def test_rows_are_listed_newest_first_and_arrivals_oldest_first(
    sandbox: SandboxProcess, webhook: Webhook
) -> None:
    for n in range(5):
        await webhook.post(payload(f"d-{n}", f"l-{n % 3}"))
    path = f"/sandbox/sources/{webhook.source}"
    first = (await sandbox.admin.get(f"{path}/rows?limit=2")).json()
    second = (await sandbox.admin.get(f"{path}/rows?limit=3&cursor={first['next_cursor']}")).json()
    newer = (await sandbox.admin.get(f"{path}/rows?after={second['rows'][0]['id']}")).json()
    assert [row["delivery_id"] for row in first["rows"] + second["rows"]] == ["d-4", "d-3", "d-2", "d-1", "d-0"]
    assert second["next_cursor"] is None
    assert newer["rows"] == first["rows"]
    arrivals = await sandbox.arrivals(webhook.source)
    assert [arrival["status"] for arrival in arrivals] == [200] * 5
    assert [a["monotonic_ns"] for a in arrivals] == sorted(a["monotonic_ns"] for a in arrivals)


async def test_duplicates_are_counted_by_delivery_and_by_lead(sandbox: SandboxProcess, webhook: Webhook) -> None:
    for delivery, lead in [("d-1", "l-1"), ("d-1", "l-1"), ("d-2", "l-1"), ("d-3", "l-2")]:
        await webhook.post(payload(delivery, lead))
    await webhook.post({"no": "meta"})
    counts = await sandbox.counts(webhook.source)
    assert counts["rows"] == 5
    assert (counts["distinct_delivery_ids"], counts["duplicates"]) == (3, 1)
    assert (counts["distinct_leads"], counts["repeated_leads"]) == (2, 2)
    assert counts["arrivals"]["requests"] == 5


async def test_a_broken_request_does_not_affect_other_clients(sandbox: SandboxProcess, webhook: Webhook) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    writer.write(b"POST /v3/sources/webhook/x HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello")
    assert b"400" in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert (await webhook.post()).status_code == 200


async def test_two_sandboxes_cannot_use_the_same_directory(sandbox: SandboxProcess) -> None:
    with pytest.raises(AssertionError, match="another sandbox is running"):
        await SandboxProcess(sandbox.directory).start()
    assert (await sandbox.admin.get("/healthz")).text == "ok"
