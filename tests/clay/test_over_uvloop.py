"""The client over uvloop, on which the worker runs: its sockets and transports are not asyncio's, and the client looks at both."""

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
        bad_answers.test_head_that_drips_ends_at_the_deadline_as_no_answer,
        bad_answers.test_huge_body_is_cut_and_its_connection_closed,
        partial(connections.test_connection_lost_after_sending_is_no_answer_and_never_sent_again, how=reset),
        partial(
            connections.test_connection_lost_after_sending_is_no_answer_and_never_sent_again,
            how=lambda writer: writer.close(),
        ),
        connections.test_connection_is_reused_while_fresh,
        connections.test_farewell_on_an_idle_connection_is_not_taken_for_the_next_answer,
        partial(connections.test_server_that_closes_idle_connections_makes_no_unknown, patience=0.3),
        *(
            partial(unusual_responses.statuses_arrive, write=write, end=end)
            for write, end in unusual_responses.WAYS.values()
        ),
        clay_client.test_answer_before_the_body_is_read_is_the_answer,
        partial(dialling.test_one_internal_address_refuses_them_all, answers=("127.0.0.2", "127.0.0.1")),
    ],
    ids=lambda scenario: getattr(scenario, "func", scenario).__name__,
)
def test_holds_over_uvloop_too(scenario: Callable[[ReceiverOf, Sender], Awaitable[None]]) -> None:
    """Its sockets and transports are not asyncio's, and the client looks at both."""

    async def run() -> None:
        async with receivers() as receiver_of, senders() as sender:
            await scenario(receiver_of, sender)

    uvloop.run(run())
