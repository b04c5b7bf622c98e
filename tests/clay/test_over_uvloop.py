"""Runs tests of the client on uvloop, which the worker uses."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import uvloop

from tests.clay import test_bad_answers as bad_answers
from tests.clay import test_connecting as connecting
from tests.clay import test_connection_pool as connections
from tests.clay import test_dialling as dialling
from tests.clay import test_unusual_responses as unusual_responses
from tests.clay import test_webhook_client as clay_client
from tests.clay.handlers import reset
from tests.clay.receivers import ReceiverOf, receivers
from tests.clay.sender import Sender, senders


@pytest.mark.parametrize(
    "scenario",
    [
        connecting.test_certificate_of_the_host_is_accepted_and_its_name_is_requested,
        partial(connecting.test_certificate_for_another_name_or_of_an_unknown_authority_is_refused, trusted=True),
        connecting.test_slow_names_and_slow_handshakes_are_connect_timeouts,
        connecting.test_unknown_names_and_closed_ports_are_not_connected,
        bad_answers.test_a_slow_response_head_ends_at_the_deadline_without_a_response,
        bad_answers.test_a_huge_response_body_is_truncated_and_its_connection_closed,
        partial(connections.test_a_post_is_not_repeated_when_its_connection_is_lost_after_sending, how=reset),
        partial(
            connections.test_a_post_is_not_repeated_when_its_connection_is_lost_after_sending,
            how=lambda writer: writer.close(),
        ),
        connections.test_connection_is_reused_while_fresh,
        connections.test_a_final_message_on_an_idle_connection_is_not_read_as_the_next_response,
        partial(connections.test_a_server_that_closes_idle_connections_causes_no_unknown_outcome, idle_timeout=0.3),
        *(
            partial(unusual_responses.statuses_arrive, write=write, end=end)
            for write, end in unusual_responses.WAYS.values()
        ),
        clay_client.test_a_response_before_the_request_body_is_read_is_returned,
        partial(dialling.test_one_internal_address_among_several_refuses_the_host, answers=("127.0.0.2", "127.0.0.1")),
    ],
    ids=lambda scenario: getattr(scenario, "func", scenario).__name__,
)
def test_the_client_behaves_the_same_over_uvloop(scenario: Callable[[ReceiverOf, Sender], Awaitable[None]]) -> None:
    """The sockets and transports of uvloop differ from asyncio's, and the client uses both."""

    async def run() -> None:
        async with receivers() as receiver_of, senders() as sender:
            await scenario(receiver_of, sender)

    uvloop.run(run())
