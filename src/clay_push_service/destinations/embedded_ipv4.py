"""Extracts IPv4 addresses from IPv6 addresses: the addresses that a translator on the route sends to. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix (RFC 6052), in which DNS64 writes the addresses of hosts that have IPv4 only."""
LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
"""For translators of one network (RFC 8215); an address does not show the length of their prefix."""
ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""An interface identifier with this beginning ends with an IPv4 address (RFC 5214)."""
NO_HOST: Final = 8
"""No translator sends to 0.0.0.0/8 (RFC 7915): such a result means that the prefix has another length."""


def is_translated(address: IPv6Address) -> bool:
    """Whether the address represents the IPv4 address in it, so that only the IPv4 address is checked."""
    return address in NAT64 or address in LOCAL_NAT64


def embedded(address: IPv6Address) -> list[IPv4Address]:
    """Returns each IPv4 address that `address` may represent; empty if it contains none.

    6to4 and Teredo are not included: the guard refuses them entirely, because their relays may send anywhere.
    """
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if address in NAT64:
        return [last]
    if address in LOCAL_NAT64:
        # RFC 6052, section 2.2: prefixes of 48, 56, 64 and 96 bits; bits 64 to 71 are skipped.
        readings = [
            (number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF,
            (number >> 64 & 0xFF) << 24 | number >> 32 & 0xFFFFFF,
            number >> 24 & 0xFFFFFFFF,
        ]
        return [last, *(IPv4Address(reading) for reading in readings if reading >> (32 - NO_HOST))]
    return [last] if number >> 32 & 0xFFFFFFFF in ISATAP else []
