"""IPv4 addresses inside IPv6 addresses: what a translator on the way would really send to. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix (RFC 6052), in which DNS64 writes the addresses of hosts that have IPv4 only."""
LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
"""For translators of one network (RFC 8215); how long their prefix is cannot be seen in an address."""
ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""An interface identifier that begins so ends in an IPv4 address of a site (RFC 5214)."""
NO_HOST: Final = 8
"""0.0.0.0/8 is sent to by no translator (RFC 7915): a reading in it means that the prefix has another length."""


def is_translated(address: IPv6Address) -> bool:
    """Whether the address stands for the IPv4 address in it, so that this one alone is judged."""
    return address in NAT64 or address in LOCAL_NAT64


def embedded(address: IPv6Address) -> list[IPv4Address]:
    """Every IPv4 address that `address` may lead to, none of which may be internal; empty: it carries none.

    6to4 and Teredo are not here: the guard refuses them whole, because a relay for them may lead anywhere.
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
