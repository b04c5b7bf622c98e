"""Fixtures of the tests of destination settings: receivers on real loopback sockets, as the tests of the client use them."""

from collections.abc import AsyncIterator

import pytest

from tests.clay.receivers import ReceiverOf, receivers


@pytest.fixture
async def receiver_of() -> AsyncIterator[ReceiverOf]:
    async with receivers() as make:
        yield make
