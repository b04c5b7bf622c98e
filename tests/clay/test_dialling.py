"""The guard checks addresses again at connect."""

import httpx
import pytest

from clay_push_service.clay.response import Blocked
from clay_push_service.clay.webhook_client import Target
from clay_push_service.destinations.guard import CheckedUrl, Policy
from tests.clay.receivers import ReceiverOf
from tests.clay.sender import BODY, ONLY_OUTSIDE, Names, Sender, responded, target


@pytest.mark.parametrize("answers", [("127.0.0.1",), ("127.0.0.2", "127.0.0.1"), ("127.0.0.1", "127.0.0.2")])
async def test_one_internal_address_among_several_refuses_the_host(
    receiver_of: ReceiverOf, sender: Sender, answers: tuple[str, ...]
) -> None:
    inside = await receiver_of()
    outside = await receiver_of(host="127.0.0.2", port=inside.port)
    client = sender.client(resolver=Names(answers), policy=ONLY_OUTSIDE)
    assert isinstance(await client.post(target(inside.port), BODY), Blocked)
    assert (inside.accepted, outside.accepted) == (0, 0)


async def test_a_name_that_changes_to_an_internal_address_is_refused(receiver_of: ReceiverOf, sender: Sender) -> None:
    inside = await receiver_of()
    outside = await receiver_of(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "127.0.0.2", inside.port
    )
    names = Names(("127.0.0.2",), ("127.0.0.1",))
    client = sender.client(resolver=names, policy=ONLY_OUTSIDE)
    responded(await client.post(target(inside.port), BODY))
    client.connections.clear_resolver_cache()
    answer = await client.post(target(inside.port), BODY)
    assert isinstance(answer, Blocked)
    assert answer.reason == "address_not_public"
    assert (outside.accepted, inside.accepted, names.lookups) == (1, 0, 2)


async def test_an_ip_literal_is_checked_again_at_connect(receiver_of: ReceiverOf, sender: Sender) -> None:
    inside = await receiver_of()
    client = sender.client(policy=Policy(()))
    assert isinstance(await client.post(target(inside.port, host="127.0.0.1"), BODY), Blocked)
    assert inside.accepted == 0


async def test_the_connection_goes_to_the_host_that_was_checked(receiver_of: ReceiverOf, sender: Sender) -> None:
    """The URL is parsed only once, so that no second parser can find another host in it."""
    inside, names = await receiver_of(), Names(("127.0.0.2",))
    outside = await receiver_of(host="127.0.0.2", port=inside.port)
    checked = CheckedUrl(httpx.URL(f"http://127.0.0.1:{inside.port}/"), "hook.clay.test", inside.port)
    responded(await sender.client(resolver=names).post(Target(checked), BODY))
    assert (inside.accepted, outside.accepted, names.lookups) == (0, 1, 1)
