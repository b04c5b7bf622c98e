"""Fixtures of receivers on loopback sockets and of clients that post to them."""

from collections.abc import AsyncIterator

import pytest

from tests.clay.receivers import ReceiverOf, receivers
from tests.clay.sender import Sender, senders


@pytest.fixture
async def receiver_of() -> AsyncIterator[ReceiverOf]:
    async with receivers() as make:
        yield make


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with senders() as sender:
        yield sender
