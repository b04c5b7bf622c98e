"""Creates clients for a test, resolves their host names, and posts to a port."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp.abc import AbstractResolver, ResolveResult

from clay_push_service.clay.response import Responded, Response
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.destinations.guard import HostRule, Policy, check_url
from clay_push_service.settings import Settings

BODY = b'{"github_username":"johndoe"}'
LOOPBACK = Settings(database_url="postgresql://x", allowed_webhook_networks=("127.0.0.0/8", "::1/128")).networks
ONLY_OUTSIDE = Policy((), Settings(database_url="postgresql://x", allowed_webhook_networks=("127.0.0.2/32",)).networks)
"""127.0.0.2 stands for the public Internet and 127.0.0.1 for the internal network, so that no traffic leaves the machine."""
ANY_PORT_HOSTS = ("hook.clay.test", "localhost", "127.0.0.1")


class Names(AbstractResolver):
    """A resolver that returns the next list of addresses for each call, then the last one again, after `delay` seconds."""

    def __init__(self, *answers: tuple[str, ...], delay: float = 0) -> None:
        self.answers = list(answers)
        self.delay = delay
        self.lookups = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002
    ) -> list[ResolveResult]:
        self.lookups += 1
        await asyncio.sleep(self.delay)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


class Sender:
    """Creates the clients of one test, and posts to a port."""

    def __init__(self) -> None:
        self.clients: list[ClayClient] = []

    def client(
        self,
        seconds: float = 5,
        connect_seconds: float = 2,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        policy: Policy | None = None,
    ) -> ClayClient:
        client = ClayClient(
            policy or Policy((), LOOPBACK, allow_plain_http=True),
            request_timeout_seconds=seconds,
            connect_timeout_seconds=connect_seconds,
            resolver=resolver or Names(("127.0.0.1",)),
            tls=tls,
        )
        self.clients.append(client)
        return client


def target(port: int, host: str = "hook.clay.test", token: str | None = None, scheme: str = "http") -> Target:
    hosts = tuple(HostRule(name, subdomains=False, port=port) for name in ANY_PORT_HOSTS)
    return Target(
        check_url(f"{scheme}://{host}:{port}/v3/hook?x=1", Policy(hosts, LOOPBACK, allow_plain_http=True)), token
    )


@asynccontextmanager
async def senders() -> AsyncIterator[Sender]:
    sender = Sender()
    try:
        yield sender
    finally:
        for client in sender.clients:
            await client.close()


def responded(answer: Response) -> Responded:
    assert isinstance(answer, Responded), answer
    return answer
