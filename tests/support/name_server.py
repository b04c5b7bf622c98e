"""A DNS server over UDP and a resolver that queries it, without a cache."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.message
import dns.rdatatype
import dns.rrset
from aiohttp.abc import AbstractResolver, ResolveResult


class NameServer(asyncio.DatagramProtocol):
    """Answers each query for an A record with the next address and TTL 0, and other queries with no record."""

    def __init__(self, answers: Iterable[Sequence[str]]) -> None:
        self._answers: Iterator[Sequence[str]] = iter(answers)
        self._transport: asyncio.DatagramTransport | None = None
        self.lookups: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        assert self._transport is not None
        query = dns.message.from_wire(data)
        [question] = query.question
        answer = dns.message.make_response(query)
        if question.rdtype == dns.rdatatype.A:
            self.lookups.append(question.name.to_text(omit_final_dot=True))
            answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", "A", *next(self._answers)))
        self._transport.sendto(answer.to_wire(), address)


class AskingResolver(AbstractResolver):
    """A resolver that queries the name server on this port of 127.0.0.1."""

    def __init__(self, port: int, server: NameServer) -> None:
        self.port = port
        self.server = server
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers, self._resolver.port = ["127.0.0.1"], port

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        try:
            found = await self._resolver.resolve(host, "A", lifetime=2.0)
        except dns.exception.DNSException as error:
            raise OSError("no such name") from error
        return [
            ResolveResult(hostname=host, host=record.address, port=port, family=family, proto=0, flags=0)
            for record in found
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def name_server(answers: Iterable[Sequence[str]]) -> AsyncIterator[AskingResolver]:
    """Run a name server on 127.0.0.1."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(answers), ("127.0.0.1", 0)
    )
    try:
        yield AskingResolver(transport.get_extra_info("sockname")[1], server)
    finally:
        transport.close()
