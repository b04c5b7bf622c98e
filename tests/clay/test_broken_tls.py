"""A TLS connection breaks directly after the status line, in the same packet. The status counts."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable

import pytest
import trustme
import uvloop

from tests.clay.sender import BODY, responded, senders, target

BROKEN_RECORD = b"\x17\x03\x03\x00\x20" + b"z" * 32


def answer_and_break(listener: socket.socket, tls: ssl.SSLContext) -> None:
    """Respond to one request, with a TLS record that cannot be decrypted in the packet of the status line."""
    connection, _ = listener.accept()
    arrived, leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.wrap_bio(arrived, leaves, server_side=True)

    def done(step: Callable[[], object]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                connection.sendall(leaves.read())
                arrived.write(connection.recv(65536))
            else:
                connection.sendall(leaves.read())
                return

    with connection:
        done(session.do_handshake)
        done(lambda: session.read(65536))
        session.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n")
        connection.sendall(leaves.read() + BROKEN_RECORD)
        connection.recv(65536)


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_status_before_a_broken_tls_record_is_recorded(
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hook.clay.test").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)

    async def post(port: int) -> int:
        async with senders() as sender:
            return responded(await sender.client(tls=client).post(target(port, scheme="https"), BODY)).status

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=answer_and_break, args=(listener, server))
        serving.start()
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(post(listener.getsockname()[1])) == 401
        serving.join(10)
