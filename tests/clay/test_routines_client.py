"""The client of Clay's public API over sockets: the requests that it sends or refuses, and unusual responses."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest

from clay_push_service.clay.routines_body import ItemStatus, ResultsPage, RunItem
from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_client import ApiKey, KeyAccepted, RoutinesClient, RunStarted
from clay_push_service.clay.routines_outcome import ApiFailure
from clay_push_service.destinations.guard import HostRule, Policy
from tests.clay.receivers import ReceiverOf
from tests.clay.sender import LOOPBACK, Names, Sender
from tests.support.sandbox import Json, SandboxProcess

HOST = "api.clay.test"
KEY = ApiKey("key-of-the-tests")
ITEMS = [RunItem(f"item-{number}", {"Full Name": "Ada Lovelace", "Company Domain": "example.com"}) for number in (1, 2)]


def routines(sender: Sender, port: int, *, seconds: float = 5.0, base: str | None = None) -> RoutinesClient:
    policy = Policy((HostRule(HOST, subdomains=False, port=port),), LOOPBACK, allow_plain_http=True)
    return RoutinesClient(
        sender.client(seconds=seconds, policy=policy), base or f"http://{HOST}:{port}/public/v0", policy,
        lambda: datetime(2026, 11, 30, tzinfo=UTC),
    )  # fmt: skip


def answer(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


async def test_a_start_has_the_documented_form_and_the_key_in_its_header(
    receiver_of: ReceiverOf, sender: Sender
) -> None:
    receiver = await receiver_of(answer(202, b'{"routine_run_id":"rr_1","status":"in_progress"}'))
    assert await routines(sender, receiver.port).start_run(KEY, "find email/2", ITEMS) == RunStarted("rr_1")
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"POST /public/v0/routines/find%20email%2F2/run HTTP/1.1"
    sent = dict(line.split(b": ", 1) for line in headers)
    assert (sent[b"clay-api-key"], sent[b"content-type"]) == (b"key-of-the-tests", b"application/json")
    assert sent[b"host"] == f"{HOST}:{receiver.port}".encode()
    assert orjson.loads(body)["items"][0] == {"id": "item-1", "inputs": dict(ITEMS[0].inputs)}


async def test_results_are_read_with_cursor_and_limit(receiver_of: ReceiverOf, sender: Sender) -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(200, b'{"status":"complete"}'))
        await writer.drain()

    receiver = await receiver_of(answer_once)
    found = await routines(sender, receiver.port).read_results(KEY, "rr_1", cursor="a b&c", limit=10)
    assert found == ResultsPage(True, None, None, [], None)
    first, *headers = receiver.requests[0].split(b"\r\n")
    assert first == b"GET /public/v0/routines/run/rr_1/results?limit=10&cursor=a%20b%26c HTTP/1.1"
    assert not any(line.startswith((b"content-length", b"content-type")) for line in headers)


@pytest.mark.parametrize("count", [0, 101])
async def test_a_run_has_1_to_100_items(sender: Sender, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        await routines(sender, 1).start_run(KEY, "full", ITEMS[:1] * count)


@pytest.mark.parametrize("routine_id", ["", ".", "..", "x" * 201])
async def test_an_id_that_would_change_the_path_is_refused(sender: Sender, routine_id: str) -> None:
    with pytest.raises(ValueError, match="path"):
        await routines(sender, 1).start_run(KEY, routine_id, ITEMS)


@pytest.mark.parametrize(
    "base", ["http://elsewhere.test/public/v0", "https://169.254.169.254/public/v0", "http://127.0.0.1:1/v0"]
)
async def test_the_guard_of_webhooks_checks_the_address(sender: Sender, base: str) -> None:
    assert await routines(sender, 9, base=base).check_key(KEY) == ApiFailure(ApiCause.BLOCKED)


async def test_a_name_with_an_internal_address_is_refused(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of()
    policy = Policy((HostRule(HOST, subdomains=False, port=receiver.port),), (), allow_plain_http=True)
    client = sender.client(policy=policy, resolver=Names(("127.0.0.1",)))
    api = RoutinesClient(client, f"http://{HOST}:{receiver.port}", policy, lambda: datetime.now(UTC))
    assert await api.start_run(KEY, "full", ITEMS) == ApiFailure(ApiCause.BLOCKED)
    assert receiver.accepted == 0


@pytest.mark.parametrize("value", ["two\r\nlines", "ключ", ""])
async def test_a_key_that_is_not_a_valid_header_is_refused_before_sending(
    receiver_of: ReceiverOf, sender: Sender, value: str
) -> None:
    receiver = await receiver_of()
    assert await routines(sender, receiver.port).check_key(ApiKey(value)) == ApiFailure(ApiCause.INVALID_CREDENTIALS)
    assert receiver.accepted == 0


async def test_a_redirect_is_not_followed(receiver_of: ReceiverOf, sender: Sender) -> None:
    inside = await receiver_of()
    location = f"location: http://127.0.0.1:{inside.port}/\r\n"
    receiver = await receiver_of(answer(307, b"", location))
    assert await routines(sender, receiver.port).start_run(KEY, "full", ITEMS) == ApiFailure(ApiCause.UNREADABLE, 307)
    assert inside.accepted == 0


@pytest.mark.parametrize(
    "body", [b"", b"accepted", b"{}", b'{"routine_run_id":', b'{"routine_run_id":".."}', b"<html>"]
)
async def test_an_accepted_start_without_a_run_id_is_held(receiver_of: ReceiverOf, sender: Sender, body: bytes) -> None:
    receiver = await receiver_of(answer(202, body))
    assert await routines(sender, receiver.port).start_run(KEY, "full", ITEMS) == ApiFailure(ApiCause.HELD, 202)
    assert len(receiver.requests) == 1


async def test_a_large_page_is_read_whole(receiver_of: ReceiverOf, sender: Sender) -> None:
    data = [{"id": f"i-{n}", "status": "complete", "result": {"Technologies": "x" * 8000}} for n in range(100)]
    receiver = await receiver_of(answer(200, orjson.dumps({"status": "complete", "data": data})))
    found = await routines(sender, receiver.port).read_results(KEY, "rr_1")
    assert isinstance(found, ResultsPage)
    assert len(found.items) == 100
    assert found.items[99].result == {"Technologies": "x" * 8000}


async def test_a_page_beyond_the_limit_is_a_failure(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of(answer(200, orjson.dumps({"data": ["x" * 4_100_000]})))
    found = await routines(sender, receiver.port).read_results(KEY, "rr_1")
    assert found == ApiFailure(ApiCause.UNREADABLE, 200)


async def test_no_connection_means_that_nothing_was_sent(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of()
    await receiver.stop()
    failure = await routines(sender, receiver.port).start_run(KEY, "full", ITEMS)
    assert failure == ApiFailure(ApiCause.NOT_CONNECTED)


async def test_the_key_is_in_no_repr(sender: Sender) -> None:
    assert "key-of-the-tests" not in repr(KEY) + repr(routines(sender, 1))


# The following tests use the sandbox, which responds as Clay's documentation and users describe.


async def api(sandbox: SandboxProcess, **plan: Json) -> None:
    response = await sandbox.admin.put("/sandbox/api", json=plan)
    assert response.is_success, response.text


@pytest.fixture
def client(sandbox: SandboxProcess, sender: Sender) -> RoutinesClient:
    policy = Policy((HostRule("127.0.0.1", subdomains=False, port=sandbox.port),), LOOPBACK, allow_plain_http=True)
    return RoutinesClient(
        sender.client(seconds=1.0, policy=policy), f"{sandbox.url}/public/v0", policy, lambda: datetime.now(UTC)
    )


async def test_a_run_from_start_to_results(sandbox: SandboxProcess, client: RoutinesClient) -> None:
    await api(sandbox, run_seconds=60)
    assert await client.check_key(KEY) == KeyAccepted()
    started = await client.start_run(KEY, "full", ITEMS)
    assert isinstance(started, RunStarted)
    waiting = await client.read_results(KEY, started.run_id)
    assert waiting == ResultsPage(False, 2, 0, [], None)
    await sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
    first = await client.read_results(KEY, started.run_id, limit=1)
    assert isinstance(first, ResultsPage)
    assert (first.is_complete, len(first.items), first.cursor) == (True, 1, "1")
    second = await client.read_results(KEY, started.run_id, cursor=first.cursor, limit=1)
    assert isinstance(second, ResultsPage)
    assert second.cursor is None
    assert second.items[0].result["Work Email"] == "ada.lovelace@example.com"
    await sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 86_400})
    assert await client.read_results(KEY, started.run_id) == ApiFailure(ApiCause.NOT_FOUND, 404)


@pytest.mark.parametrize(
    ("plan", "cause", "status"),
    [
        ({"keys": ["another"]}, ApiCause.INVALID_CREDENTIALS, 401),
        ({"not_enabled": "routines"}, ApiCause.INVALID_CREDENTIALS, 401),
        ({"credits": 1}, ApiCause.INSUFFICIENT_CREDITS, 402),
        ({"routines": {}}, ApiCause.NOT_FOUND, 404),
        ({"faults": {"run": {"rules": [{"kind": "status", "status": 403}]}}}, ApiCause.INVALID_CREDENTIALS, 403),
        ({"faults": {"run": {"rules": [{"kind": "status", "status": 400}]}}}, ApiCause.REJECTED, 400),
    ],
)
async def test_a_refused_start_charges_nothing(
    sandbox: SandboxProcess, client: RoutinesClient, plan: dict[str, Json], cause: ApiCause, status: int
) -> None:
    await api(sandbox, **plan)
    assert await client.start_run(KEY, "full", ITEMS) == ApiFailure(cause, status)
    assert (await sandbox.admin.get("/sandbox/api")).json()["charged"] == 0


async def test_the_delay_of_a_429_is_returned(sandbox: SandboxProcess, client: RoutinesClient) -> None:
    rule: dict[str, Json] = {"kind": "status", "status": 429, "retry_after": "13"}
    await api(sandbox, faults={"run": {"rules": [rule]}})
    assert await client.start_run(KEY, "full", ITEMS) == ApiFailure(ApiCause.RATE_LIMITED, 429, 13.0)


@pytest.mark.parametrize(
    "rule",
    [{"kind": "reset_after"}, {"kind": "stall", "store": True}, {"kind": "status", "status": 502, "store": True}],
)
async def test_a_start_without_a_response_is_held(
    sandbox: SandboxProcess, client: RoutinesClient, rule: dict[str, Json]
) -> None:
    await api(sandbox, faults={"run": {"rules": [rule]}})
    failure = await client.start_run(KEY, "full", ITEMS)
    assert isinstance(failure, ApiFailure)
    assert failure.may_have_started
    state = (await sandbox.admin.get("/sandbox/api")).json()
    assert (state["runs"], state["items"], state["requests"]["run"]) == (1, 2, 1)


async def test_unusual_responses_are_read(sandbox: SandboxProcess, client: RoutinesClient) -> None:
    deviations: Json = {"other_case": True, "numbers_as_strings": True, "missing_items": 0.3, "unknown_status": 0.2}
    await api(sandbox, deviations=deviations)
    items = [RunItem(f"item-{number}", {"full_name": "Ada Lovelace"}) for number in range(100)]
    started = await client.start_run(KEY, "email", items)
    assert isinstance(started, RunStarted)
    page = await client.read_results(KEY, started.run_id)
    assert isinstance(page, ResultsPage)
    assert (page.is_complete, page.total) == (True, 100)
    assert {item.id for item in page.items} < {item.id for item in items}
    assert {item.status for item in page.items} == {ItemStatus.COMPLETE, ItemStatus.PENDING}
    assert page.finished == len(page.items) < 100


async def test_the_probe_of_a_routine_starts_nothing(sandbox: SandboxProcess, client: RoutinesClient) -> None:
    assert await client.probe_routine(KEY, "full") == ApiFailure(ApiCause.REJECTED, 400)
    assert await client.probe_routine(KEY, "unknown") == ApiFailure(ApiCause.NOT_FOUND, 404)
    assert (await sandbox.admin.get("/sandbox/api")).json()["runs"] == 0
