"""DNS cache for webhook hosts: keeps addresses for a few seconds and resolves a name once for all concurrent requests."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from clay_push_service.destinations.guard import Policy, VettingResolver, vet

CACHE_SECONDS = 10.0
MAX_ENTRIES = 1000


class UnknownNameError(OSError):
    """The name could not be resolved."""


class CachingResolver:
    """Vets every address when it resolves it, so that connections use exactly the addresses that were checked."""

    def __init__(self, policy: Policy, resolver: AbstractResolver) -> None:
        self._policy = policy
        self._resolver = VettingResolver(policy, resolver)
        self._cached: dict[tuple[str, int], tuple[float, Sequence[ResolveResult]]] = {}
        self._pending: dict[tuple[str, int], asyncio.Task[Sequence[ResolveResult]]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        """Return the addresses of a host. Raises UnknownNameError, and BlockedError for an address that the guard refuses."""
        key = host, port
        until, found = self._cached.get(key, (0.0, ()))
        if until > asyncio.get_running_loop().time():
            return found
        lookup = self._pending.get(key)
        if lookup is None:
            lookup = self._pending[key] = asyncio.create_task(self._resolve(host, port))
            lookup.add_done_callback(
                lambda task: task.cancelled() or task.exception()
            )  # marks its exception as retrieved
        return await asyncio.shield(lookup)  # cancelling one request does not cancel the lookup of the others

    def clear(self) -> None:
        self._cached.clear()

    async def close(self) -> None:
        for lookup in self._pending.values():
            lookup.cancel()
        await self._resolver.close()

    async def _resolve(self, host: str, port: int) -> Sequence[ResolveResult]:
        try:
            found = self._literal(host, port) or await self._resolver.resolve(host, port, socket.AF_UNSPEC)
        except (OSError, UnicodeError):
            raise UnknownNameError from None
        finally:
            del self._pending[host, port]
        if len(self._cached) >= MAX_ENTRIES:
            self._cached.clear()
        self._cached[host, port] = asyncio.get_running_loop().time() + CACHE_SECONDS, found
        return found

    def _literal(self, host: str, port: int) -> Sequence[ResolveResult]:
        """Return the address of a host that is written as an IP address, without a resolver; empty for a name."""
        try:
            address = ip_address(host)
        except ValueError:
            return ()
        vet(host, self._policy)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - of IP
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=socket.IPPROTO_TCP, flags=0)]
