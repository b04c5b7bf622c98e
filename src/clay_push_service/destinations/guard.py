"""Guards against server-side request forgery: the same check when a webhook is saved, tested and sent to.

The default is to refuse. No message contains the refused URL.
"""

import re
import socket
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from clay_push_service.destinations.embedded_ipv4 import embedded, is_translated
from clay_push_service.settings import Network, Settings

MAX_URL_LENGTH = 2048
"""Clay's webhook URLs have about 110 characters; 2048 is the longest URL that browsers and proxies handle alike."""
PORTS = {"https": 443, "http": 80}

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
"""Some resolvers take a name with such a last label for an IPv4 address (`127.1`, `0x7f000001`): a rule of the WHATWG URL parser."""

GLOBAL_V6 = ip_network("2000::/3")
"""The addresses that are allocated for the public Internet. Others (fec0::/10, ::/96 …) are refused, although `ipaddress.is_global`
accepts many of them. NAT64 addresses are checked by the IPv4 address in them (`embedded`)."""
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; cloud metadata at Alibaba
        "168.63.129.16/32",  # Azure's host; public by registry, internal by use
        "192.0.0.0/24",  # protocol assignments; cloud metadata at Oracle
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "224.0.0.0/3",  # multicast and reserved
        "2001::/23",  # protocol assignments, Teredo among them: carries an IPv4 address inside
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address inside
        "3fff::/20",
    )
)


REMEDY = "Paste the webhook URL that Clay shows for your table."


class BlockedError(Exception):
    """The URL is refused. `reason`: a stable code; `detail`: one sentence without the URL, and the remedy."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = f"{detail} {REMEDY}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """An allowed host: `host`, or `*.host` for its subdomains without itself; and the port."""

    name: str
    subdomains: bool
    port: int | None
    """None: the scheme's own, which for https is 443."""

    @classmethod
    def parse(cls, text: str) -> "HostRule":
        host, port = text.strip().lower(), None
        if found := re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+):([0-9]{1,5})", host):
            host, port = found[1], int(found[2])
        subdomains = host.startswith("*.")
        name = host.removeprefix("*.").removeprefix("[").removesuffix("]").rstrip(".")
        return cls(name, subdomains, port)

    def allows(self, host: str, port: int, default_port: int) -> bool:
        if port != (default_port if self.port is None else self.port):
            return False
        return host.endswith("." + self.name) if self.subdomains else host == self.name


@dataclass(frozen=True, slots=True)
class Policy:
    hosts: tuple[HostRule, ...]
    networks: tuple[Network, ...] = ()
    """Internal networks that are allowed, for a sandbox or a test."""
    allow_plain_http: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        hosts = tuple(HostRule.parse(text) for text in settings.allowed_webhook_hosts)
        return cls(hosts, settings.networks, settings.allow_plain_http)


@dataclass(frozen=True, slots=True)
class CheckedUrl:
    """A URL with a canonical, allowed host. Only `check_url` creates it; its addresses are still to be checked by `vet`."""

    url: httpx.URL
    host: str
    port: int

    def __repr__(self) -> str:
        return f"CheckedUrl(host={self.host!r}, port={self.port})"  # the path is the secret


def check_url(url: str, policy: Policy) -> CheckedUrl:
    """Parse with the parser that the client uses, and refuse each URL that is not an allowed webhook. Raises BlockedError."""
    if not url or len(url) > MAX_URL_LENGTH:
        raise BlockedError("url_length", f"A webhook URL has 1 to {MAX_URL_LENGTH} characters.")
    if "\\" in url or any(unicodedata.category(character)[0] in "CZ" for character in url):
        raise BlockedError("url_characters", "A webhook URL holds no spaces, control characters or backslashes.")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise BlockedError("url_invalid", "This is not a URL.") from None
    if parsed.scheme != "https" and not (parsed.scheme == "http" and policy.allow_plain_http):
        raise BlockedError("not_https", "A webhook URL begins with https://.")
    authority = re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]
    if "@" in authority:
        raise BlockedError("userinfo", "A webhook URL holds no user name or password.")
    if "%" in authority:
        raise BlockedError("host_invalid", "A webhook's host is written plainly, without % escapes.")
    if "#" in url:
        raise BlockedError("fragment", "A webhook URL holds no # part.")
    default_port = PORTS[parsed.scheme]
    port = default_port if parsed.port is None else parsed.port
    host = _canonical_host(parsed, policy)
    if not any(rule.allows(host, port, default_port) for rule in policy.hosts):
        raise BlockedError("host_not_allowed", "This host and port are not ones that webhooks may be sent to.")
    return CheckedUrl(parsed.copy_with(host=host), host, port)


def _canonical_host(parsed: httpx.URL, policy: Policy) -> str:
    host = parsed.raw_host.decode("ascii").lower()
    if ":" in host or _NUMERIC_LABEL.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        # aiohttp does not resolve a literal address, so it is checked here. Only the canonical spelling is accepted.
        vet(host, policy, "ip_literal")
        if not any(_address(host) in network for network in policy.networks):
            raise BlockedError("ip_literal", "A webhook's host is a name, not an IP address.")
        return str(ip_address(host))
    host = host.removesuffix(".")
    if not _NAME.fullmatch(host):
        raise BlockedError("host_invalid", "A webhook URL has a host.")
    return host


def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def vet(address: str, policy: Policy, reason: str = "address_not_public") -> None:
    """Refuse an address that is not on the public Internet and not in an allowed network. Raises BlockedError."""
    refusal = BlockedError(reason, "This webhook leads to an address inside a private network.")
    try:
        parsed = _address(address)
    except ValueError:  # not an address, or not its canonical spelling
        raise refusal from None
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        raise refusal
    if any(parsed in network for network in policy.networks):
        return
    inside = embedded(parsed) if isinstance(parsed, IPv6Address) else []
    judged = inside if isinstance(parsed, IPv6Address) and is_translated(parsed) else [parsed, *inside]
    if not all(_is_public(each) for each in judged):
        raise refusal


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in GLOBAL_V6:
        return False
    return address.is_global and not any(address in network for network in NOT_PUBLIC)


class VettingResolver(AbstractResolver):
    """Resolves once and returns only checked addresses, so that the client connects to the address that was checked.

    One refused address refuses all of them: a connector may try every one.
    """

    def __init__(self, policy: Policy, inner: AbstractResolver) -> None:
        self._policy = policy
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        if not results:
            raise OSError(socket.EAI_NONAME, "the name has no address")
        for result in results:
            vet(result["host"], self._policy)
        return results

    async def close(self) -> None:
        await self._inner.close()
