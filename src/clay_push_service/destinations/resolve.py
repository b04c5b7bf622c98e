"""Asks where a webhook's host leads before it is saved or tested, with the guard that vets it again when it is sent to."""

import asyncio
import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from clay_push_service.destinations.guard import CheckedUrl, Policy, VettingResolver

LOOK_UP_SECONDS = 5.0


def default_resolver() -> AbstractResolver:
    """The system's own, in threads. To be made inside a running loop."""
    return ThreadedResolver()


async def is_internal(checked: CheckedUrl, policy: Policy, resolver: AbstractResolver) -> bool:
    """Whether ALL its addresses are in networks that the operator allowed. Raises BlockedError for a forbidden one.

    A name without an answer is not refused: names come and go, and whoever sends to it asks again and says so.
    """
    try:
        addresses = [str(ip_address(checked.host))]  # a literal was vetted by `check_url`
    except ValueError:
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                found = await VettingResolver(policy, resolver).resolve(checked.host, checked.port, socket.AF_UNSPEC)
        except (OSError, TimeoutError):
            return False
        addresses = [result["host"] for result in found]
    parsed = [ip_address(address.partition("%")[0]) for address in addresses]
    return all(any(address in network for network in policy.networks) for address in parsed)
