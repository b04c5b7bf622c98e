"""Resolves a webhook's host before it is saved or tested, with the guard that checks each address again before sending."""

import asyncio
import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from clay_push_service.destinations.guard import CheckedUrl, Policy, VettingResolver

RESOLVE_SECONDS = 5.0


def default_resolver() -> AbstractResolver:
    """The system's resolver, in threads. Needs a running event loop."""
    return ThreadedResolver()


async def is_internal(checked: CheckedUrl, policy: Policy, resolver: AbstractResolver) -> bool:
    """Whether ALL its addresses are in networks that the operator allowed. Raises BlockedError for a forbidden one.

    A name that does not resolve is not refused: names come and go, and each POST resolves it again and reports a failure.
    """
    try:
        addresses = [str(ip_address(checked.host))]  # a literal was vetted by `check_url`
    except ValueError:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await VettingResolver(policy, resolver).resolve(checked.host, checked.port, socket.AF_UNSPEC)
        except (OSError, TimeoutError):
            return False
        addresses = [result["host"] for result in found]
    parsed = [ip_address(address.partition("%")[0]) for address in addresses]
    return all(any(address in network for network in policy.networks) for address in parsed)
