"""The guard: the URLs and addresses that it allows. No connection is opened to others."""

import socket
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from clay_push_service.clay.response import Blocked
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.destinations.guard import BlockedError, HostRule, Policy, VettingResolver, check_url, vet
from clay_push_service.settings import Settings
from tests.destinations.addresses import INTERNAL, UNUSUAL_SPELLINGS

CLAY = Policy.of(Settings(database_url="postgresql://x"))
WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0a1b2c3d"

PUBLIC = ["1.1.1.1", "8.8.8.8", "104.18.0.1", "::ffff:1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1",
          "64:ff9b::1.1.1.1", "64:ff9b::104.18.0.1", "64:ff9b:1::8.8.8.8", "2606:4700::5efe:8.8.8.8"]  # fmt: skip


class One(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_refused(address: str) -> None:
    with pytest.raises(BlockedError) as caught:
        vet(address, CLAY)
    assert caught.value.reason == "address_not_public"


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    vet(address, CLAY)


@pytest.mark.parametrize("address", ["", "clay.com", "127.1", "1.1.1", "0x1.1.1.1", "01.1.1.1", "1.1.1.1 "])
def test_a_non_canonical_address_is_refused(address: str) -> None:
    with pytest.raises(BlockedError):
        vet(address, CLAY)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "::1"])
def test_only_addresses_of_an_allowed_network_are_allowed(address: str) -> None:
    policy = Policy((), (ip_network("127.0.0.0/8"), ip_network("::1/128")))
    vet(address, policy)
    for other in ("10.0.0.1", "::2", "2002:7f00:1::", "::7f00:1", "64:ff9b::7f00:1", "::1%lo"):
        with pytest.raises(BlockedError):
            vet(other, policy)


@pytest.mark.parametrize("host", [*INTERNAL, *UNUSUAL_SPELLINGS])
@pytest.mark.parametrize("port", ["", ":443"])
def test_an_ip_literal_is_refused_in_every_spelling(host: str, port: str) -> None:
    host = f"[{host.replace('%', '%25')}]" if host.count(":") > 1 and not host.startswith("[") else host
    anything = Policy((HostRule.parse(host), HostRule.parse("127.0.0.1"), HostRule.parse("[::1]")))
    for policy in (CLAY, anything):
        with pytest.raises(BlockedError):
            check_url(f"https://{host}{port}/x", policy)


@pytest.mark.parametrize("address", [address for address in INTERNAL if "%" not in address])
async def test_no_connection_is_opened_to_a_name_with_an_internal_address(address: str) -> None:
    """An internal listener uses the port of the webhook URL."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        port = inside.getsockname()[1]
        inside.setblocking(False)
        policy = Policy((HostRule("api.clay.com", subdomains=False, port=port),), allow_plain_http=True)
        client = ClayClient(policy, request_timeout_seconds=2, connect_timeout_seconds=1, resolver=One(address))
        try:
            answer = await client.post(Target(check_url(f"http://api.clay.com:{port}/x", policy)), b"{}")
        finally:
            await client.close()
        assert answer == Blocked("address_not_public", answer.duration_ms)
        with pytest.raises(BlockingIOError):
            inside.accept()


@pytest.mark.parametrize(
    "answers", [("1.1.1.1", "10.0.0.1"), ("10.0.0.1", "1.1.1.1"), ("1.1.1.1", "2606:4700::1", "::1")]
)
async def test_one_internal_address_among_public_ones_refuses_the_name(answers: tuple[str, ...]) -> None:
    with pytest.raises(BlockedError):
        await VettingResolver(CLAY, One(*answers)).resolve("api.clay.com", 443)


async def test_allowed_addresses_are_returned_and_an_empty_answer_is_an_error() -> None:
    results = await VettingResolver(CLAY, One("1.1.1.1", "2606:4700::1")).resolve("api.clay.com", 443)
    assert [result["host"] for result in results] == ["1.1.1.1", "2606:4700::1"]
    with pytest.raises(OSError, match="no address"):
        await VettingResolver(CLAY, One()).resolve("api.clay.com", 443)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (WEBHOOK, "api.clay.com"),
        ("https://clay.com/x", "clay.com"),
        ("https://CLAY.COM/x", "clay.com"),
        ("HTTPS://api.Clay.com./x", "api.clay.com"),
        ("https://clay.com:443/x", "clay.com"),
        ("https://a.b.clay.com/x?token=%2F", "a.b.clay.com"),
        ("https://clay。com/x", "clay.com"),
        ("https://bücher.clay.com/x", "xn--bcher-kva.clay.com"),
        ("https://a_b.clay.com/", "a_b.clay.com"),
    ],
)
def test_clay_is_allowed_by_its_canonical_name(url: str, host: str) -> None:
    checked = check_url(url, CLAY)
    assert (checked.host, checked.port, checked.url.raw_host.decode()) == (host, 443, host)


def test_path_and_query_are_unchanged() -> None:
    assert (
        str(check_url("https://Clay.com./v3/A%2Fb/?q=%C3%BC&r=1", CLAY).url)
        == "https://clay.com/v3/A%2Fb/?q=%C3%BC&r=1"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "url_length"),
        ("https://clay.com/" + "x" * 2048, "url_length"),
        ("http://clay.com/x", "not_https"),
        ("ftp://clay.com/x", "not_https"),
        ("file:///etc/passwd", "not_https"),
        ("javascript:alert(1)", "not_https"),
        ("//clay.com/x", "not_https"),
        ("clay.com/x", "not_https"),
        ("https:clay.com/x", "host_invalid"),
        ("https:/clay.com/x", "host_invalid"),
        ("https:///clay.com/x", "host_invalid"),
        ("https://clay.com../x", "host_invalid"),
        ("https://.clay.com/x", "host_invalid"),
        ("https://a..clay.com/x", "host_invalid"),
        ("https://*.clay.com/x", "host_invalid"),
        ("https://-a.clay.com/x", "host_invalid"),
        ("https://" + "a" * 64 + ".clay.com/x", "host_invalid"),
        ("https://cl%61y.com/x", "host_invalid"),
        ("https://clay.com%2eevil.io/x", "host_invalid"),
        ("https://evil.io%2f.clay.com/x", "host_invalid"),
        ("https://clay.com:8443/x", "host_not_allowed"),
        ("https://clay.com:80/x", "host_not_allowed"),
        ("https://clay.com:0/x", "host_not_allowed"),
        ("https://clay.com.evil.io/x", "host_not_allowed"),
        ("https://evilclay.com/x", "host_not_allowed"),
        ("https://clay.com-evil.io/x", "host_not_allowed"),
        ("https://evil.io/clay.com", "host_not_allowed"),
        ("https://evil.io?.clay.com", "host_not_allowed"),
        ("https://сlаy.com/x", "host_not_allowed"),
        ("https://localhost/x", "host_not_allowed"),
        ("https://clay.com@evil.io/x", "userinfo"),
        ("https://user:pass@clay.com/x", "userinfo"),
        ("https://@clay.com/x", "userinfo"),
        ("https://evil.io#@clay.com/x", "fragment"),
        ("https://clay.com/x#", "fragment"),
        ("https://clay.com/x#y", "fragment"),
        ("https://clay.com\\@evil.io/x", "url_characters"),
        ("https://evil.io\\.clay.com/x", "url_characters"),
        ("https://clay.com/a b", "url_characters"),
        (" https://clay.com/x", "url_characters"),
        ("https://clay.com/x\n", "url_characters"),
        ("https://clay.com/\r\nx: y", "url_characters"),
        ("https://clay.com/\0", "url_characters"),
        ("https://clay.com/\u200b", "url_characters"),
        ("https://clay.com/\u2028", "url_characters"),
        ("https://clay.com/\ud800", "url_characters"),
        ("https://cla\u00ady.com/", "url_characters"),
        ("https://ｃｌａｙ.com/", "url_invalid"),
        ("https://clay.com:port/", "url_invalid"),
        ("https://[::1/", "url_invalid"),
    ],
)
def test_urls_that_only_resemble_clay_are_refused(url: str, reason: str) -> None:
    with pytest.raises(BlockedError) as caught:
        check_url(url, CLAY)
    assert caught.value.reason == reason
    assert "clay.com" not in caught.value.detail
    assert caught.value.detail.endswith(" Paste the webhook URL that Clay shows for your table.")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://localhost:8081/v3/x", True),
        ("http://127.0.0.1:8081/v3/x", True),
        ("http://[::1]:8081/v3/x", True),
        ("http://[0:0::1]:8081/v3/x", True),
        ("https://localhost:8081/v3/x", True),
        ("http://localhost:8082/v3/x", False),
        ("http://localhost/v3/x", False),
        ("http://127.1:8081/v3/x", False),
        ("http://2130706433:8081/v3/x", False),
        ("http://127.0.0.2:8081/v3/x", False),
        ("http://[::ffff:127.0.0.1]:8081/v3/x", False),
        ("http://a.localhost:8081/v3/x", False),
    ],
)
def test_the_sandbox_is_allowed_by_name_port_and_network(url: str, allowed: bool) -> None:
    settings = Settings(
        database_url="postgresql://x",
        allowed_webhook_hosts=("clay.com", "localhost:8081", "127.0.0.1:8081", "[::1]:8081"),
        allowed_webhook_networks=("127.0.0.0/8", "::1/128"),
        allow_plain_http=True,
    )
    if allowed:
        assert check_url(url, Policy.of(settings)).port == 8081
    else:
        with pytest.raises(BlockedError):
            check_url(url, Policy.of(settings))


def test_an_ip_literal_in_the_host_list_also_needs_an_allowed_network() -> None:
    with pytest.raises(BlockedError) as caught:
        check_url("https://1.1.1.1/x", Policy((HostRule.parse("1.1.1.1"),)))
    assert caught.value.reason == "ip_literal"


@pytest.mark.parametrize(
    ("rule", "host", "port", "allowed"),
    [
        ("clay.com", "clay.com", 443, True),
        ("clay.com", "api.clay.com", 443, False),
        ("*.clay.com", "api.clay.com", 443, True),
        ("*.clay.com", "clay.com", 443, False),
        ("*.clay.com", "evilclay.com", 443, False),
        ("*.clay.com:8443", "api.clay.com", 8443, True),
        ("*.clay.com:8443", "api.clay.com", 443, False),
        (" Clay.COM. ", "clay.com", 443, True),
    ],
)
def test_a_host_rule_matches_at_a_label_boundary(rule: str, host: str, port: int, allowed: bool) -> None:
    assert HostRule.parse(rule).allows(host, port, 443) is allowed


def test_percent_escape_in_a_host_that_a_wildcard_allows_is_refused() -> None:
    """The end of the name matches a wildcard: `x%41.clay.com`. The guard must refuse it all the same."""
    with pytest.raises(BlockedError) as caught:
        check_url("https://x%41.clay.com/webhook", CLAY)
    assert caught.value.reason == "host_invalid"
