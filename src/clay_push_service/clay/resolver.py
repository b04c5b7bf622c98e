"""Remembers for a few seconds which addresses a webhook's host has; it resolves a name once for all that wait for it."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from clay_push_service.destinations.guard import Policy, VettingResolver, vet

KEEP_SECONDS = 10.0
REMEMBERED = 1000


class UnknownNameError(OSError):
    """The name could not be resolved."""


class CachingResolver:
    """Every address is vetted when it is resolved, so that the address that was checked is the address that is dialled."""

    def __init__(self, policy: Policy, resolver: AbstractResolver) -> None:
        self._policy = policy
        self._resolver = VettingResolver(policy, resolver)
        self._known: dict[tuple[str, int], tuple[float, Sequence[ResolveResult]]] = {}
        self._looking: dict[tuple[str, int], asyncio.Task[Sequence[ResolveResult]]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        """Raises UnknownNameError, and BlockedError for an address that the guard refuses."""
        key = host, port
        until, found = self._known.get(key, (0.0, ()))
        if until > asyncio.get_running_loop().time():
            return found
        looking = self._looking.get(key)
        if looking is None:
            looking = self._looking[key] = asyncio.create_task(self._look_up(host, port))
            looking.add_done_callback(lambda task: task.cancelled() or task.exception())  # marks its error as seen
        return await asyncio.shield(looking)  # a request that is cancelled does not end it for the others

    def forget(self) -> None:
        self._known.clear()

    async def close(self) -> None:
        for looking in self._looking.values():
            looking.cancel()
        await self._resolver.close()

    async def _look_up(self, host: str, port: int) -> Sequence[ResolveResult]:
        try:
            found = self._literal(host, port) or await self._resolver.resolve(host, port, socket.AF_UNSPEC)
        except (OSError, UnicodeError):
            raise UnknownNameError from None
        finally:
            del self._looking[host, port]
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[host, port] = asyncio.get_running_loop().time() + KEEP_SECONDS, found
        return found

    def _literal(self, host: str, port: int) -> Sequence[ResolveResult]:
        """Of a host that is written as an address; no resolver is asked about it."""
        try:
            address = ip_address(host)
        except ValueError:
            return ()
        vet(host, self._policy)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - of IP
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=socket.IPPROTO_TCP, flags=0)]
