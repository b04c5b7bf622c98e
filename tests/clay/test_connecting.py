"""Connects that fail because of a name, a certificate or a handshake. In each case, it is certain that no byte was sent."""

import asyncio
import ssl

import pytest
import trustme

from clay_push_service.clay.response import NotConnected, NotConnectedKind
from tests.clay.receivers import OK, ReceiverOf
from tests.clay.sender import BODY, Names, Sender, responded, target


def _tls(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext, list[str | None]]:
    authority, requested_names = trustme.CA(), []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)

    def record_name(_: object, server_name: str | None, __: object) -> None:
        requested_names.append(server_name)

    server.sni_callback = record_name
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client, requested_names


async def test_certificate_of_the_host_is_accepted_and_its_name_is_requested(
    receiver_of: ReceiverOf, sender: Sender
) -> None:
    server_tls, client_tls, requested_names = _tls("hook.clay.test")
    receiver = await receiver_of(tls=server_tls)
    client = sender.client(tls=client_tls)
    for _ in range(3):
        assert responded(await client.post(target(receiver.port, scheme="https"), BODY)).status == 200
    assert requested_names == ["hook.clay.test"]  # the three POSTs share one connection


@pytest.mark.parametrize("trusted", [True, False])
async def test_certificate_for_another_name_or_of_an_unknown_authority_is_refused(
    receiver_of: ReceiverOf, sender: Sender, trusted: bool
) -> None:
    server_tls, client_tls, _ = _tls("other.clay.test" if trusted else "hook.clay.test")
    receiver = await receiver_of(tls=server_tls)
    client = sender.client(tls=client_tls if trusted else None)
    answer = await client.post(target(receiver.port, scheme="https"), BODY)
    assert isinstance(answer, NotConnected)
    assert answer.kind is NotConnectedKind.CERTIFICATE
    assert receiver.requests == []


async def test_plain_http_behind_https_is_not_connected(receiver_of: ReceiverOf, sender: Sender) -> None:
    async def talk_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(5)

    receiver = await receiver_of(talk_http)
    answer = await sender.client().post(target(receiver.port, scheme="https"), BODY)
    assert isinstance(answer, NotConnected)
    assert answer.kind is NotConnectedKind.TLS


async def test_slow_names_and_slow_handshakes_are_connect_timeouts(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of(lambda *_: asyncio.sleep(5))
    slow_names = sender.client(connect_seconds=0.1, resolver=Names(("127.0.0.1",), delay=5))
    slow_handshake = sender.client(connect_seconds=0.1)
    for answer in (
        await slow_names.post(target(receiver.port), BODY),
        await slow_handshake.post(target(receiver.port, scheme="https"), BODY),
        await sender.client(seconds=0.1, resolver=Names(("127.0.0.1",), delay=5)).post(target(receiver.port), BODY),
    ):
        assert isinstance(answer, NotConnected)
        assert answer.kind is NotConnectedKind.CONNECT_TIMEOUT
        assert answer.duration_ms < 5000  # the name or the handshake takes 5 s


async def test_unknown_names_and_closed_ports_are_not_connected(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of()
    await receiver.stop()
    refused = await sender.client().post(target(receiver.port), BODY)
    unknown = await sender.client(resolver=Names(())).post(target(receiver.port), BODY)
    assert isinstance(refused, NotConnected)
    assert isinstance(unknown, NotConnected)
    assert (refused.kind, unknown.kind) == (NotConnectedKind.REFUSED, NotConnectedKind.DNS)


async def test_a_missing_file_descriptor_is_a_local_error(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = await receiver_of()

    async def no_files(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", no_files)
    answer = await sender.client().post(target(receiver.port), BODY)
    assert isinstance(answer, NotConnected)
    assert answer.kind is NotConnectedKind.BUSY
