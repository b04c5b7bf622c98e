"""Fixtures of the tests of destination settings: receivers on real loopback sockets, as the tests of the client use them."""

from tests.clay.conftest import receiver_of

__all__ = ["receiver_of"]
