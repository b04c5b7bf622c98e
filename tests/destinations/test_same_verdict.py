"""Save, test and send use one guard: every attack on each of the three ways has the same result.

A listener counts connections on all local addresses. No attack may open one.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver
from sqlalchemy import make_url

from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.destinations import resolve as look_up
from clay_push_service.sending.drainer import Drainer
from clay_push_service.setting_checks.values import HOST_RULE
from tests.clay.receivers import read_request, receivers
from tests.destinations.addresses import INTERNAL, UNUSUAL_SPELLINGS
from tests.harness.api import FixedResolver
from tests.harness.installation import Installation, install
from tests.support.connections import recorded_connections
from tests.support.name_server import name_server
from tests.support.receiver import Receiver, receiving

SECRET_PATH = "/v3/sources/webhook/the-secret-of-this-test"
FINDING = {"success", "message", "clay_response_status", "cause", "remedy", "duration_ms", "stages"}


@contextmanager
def listening_inside() -> Iterator[socket.socket]:
    """Listen on all addresses of this machine, including IPv6 if available, without responding."""
    family = socket.AF_INET6 if socket.has_ipv6 and socket.has_dualstack_ipv6() else socket.AF_INET
    address = ("::", 0) if family == socket.AF_INET6 else ("0.0.0.0", 0)
    with socket.create_server(address, family=family, dualstack_ipv6=family == socket.AF_INET6) as inside:
        inside.setblocking(False)
        yield inside


def connections(inside: socket.socket) -> int:
    count = 0
    while True:
        try:
            inside.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@dataclass
class Ways:
    """The three operations that use a webhook (save, test, send), with one policy and one resolver."""

    installation: Installation
    api: httpx.AsyncClient
    drainer: Drainer

    async def save(self, url: str) -> tuple[str, str]:
        answer = await self.api.put("/api/clay/config", json={"webhook_url": url})
        problem = answer.json()
        assert answer.status_code == 422, (url, answer.text)
        assert "the-secret-of-this-test" not in answer.text
        return problem["code"], problem["reason"]

    async def test(self, url: str) -> str:
        """Test a stored webhook, as if it was saved under another policy or when its name had another address."""
        await self.installation.configure(url)
        answer = await self.api.post("/api/clay/test")
        report = answer.json()
        assert (answer.status_code, report.keys(), report["success"]) == (200, FINDING, False), (url, answer.text)
        assert report["clay_response_status"] is None
        for leaked in ("the-secret-of-this-test", "Error", "Exception", "127.", "::", "resolve"):
            assert leaked not in answer.text, url
        return str(report["cause"])

    async def send(self, url: str) -> tuple[str, str]:
        await self.installation.configure(url)
        accepted = await self.installation.push()
        await self.installation.drain_all(self.drainer)
        [delivery] = await self.installation.deliveries(accepted.job_id)
        return delivery.status, delivery.cause


@asynccontextmanager
async def three_ways(
    database_url: str, port: int, *more_hosts: str, resolver: AbstractResolver | None = None, **changes: Any
) -> AsyncIterator[Ways]:
    """The most permissive policy without internal networks: plain HTTP, and IP literals in the list of hosts."""
    hosts = tuple(f"{host}:{port}" for host in ("*.clay.com", "localhost", *more_hosts))
    resolver = resolver or FixedResolver()
    settings = {"allowed_webhook_hosts": hosts, "allowed_webhook_networks": ()} | changes
    async with install(database_url, leads=1, **settings) as w:
        async with w.database.transaction() as connection:
            key = await create_key(connection, "attacker", [w.org_id], set(Scope), "test")
        client = ClayClient.create(w.settings, resolver=resolver)
        app = create_app(w.settings, database=w.database, client=client, resolver=resolver)
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {key.plain}"}
        try:
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as api,
                w.drainer() as drainer,
            ):
                own, drainer.context.client = drainer.context.client, client
                yield Ways(w, api, drainer)
                drainer.context.client = own
        finally:
            await client.close()


REASONS = {
    **dict.fromkeys([*INTERNAL, *UNUSUAL_SPELLINGS], "ip_literal"),
    **{host: "host_invalid" for host in (*INTERNAL, *UNUSUAL_SPELLINGS) if "%" in host},
    **dict.fromkeys(["0177.0.0.1", "127.0.0.01", "127.00.0.1", "１２７.0.0.1", "①②⑦.0.0.1"], "url_invalid"),
}
"""The expected refusals. `host_not_allowed` is not among them, because the test allows every host that the setting accepts."""


def port_of(database_url: str) -> int:
    port = make_url(database_url).port
    assert port is not None
    return port


async def test_an_address_in_every_spelling_has_the_same_verdict_on_all_three_ways(database_url: str) -> None:
    spellings = {
        host: f"[{host.replace('%', '%25')}]" if host.count(":") > 1 and not host.startswith("[") else host
        for host in (*INTERNAL, *UNUSUAL_SPELLINGS)
    }
    with listening_inside() as inside, recorded_connections(but=(port_of(database_url),)) as dials:
        port = inside.getsockname()[1]
        # only hosts that the setting accepts can be allowed by mistake
        freed = [place for place in spellings.values() if HOST_RULE.fullmatch(f"{place}:{port}".lower())]
        assert len(freed) > len(spellings) / 2
        async with three_ways(database_url, port, *freed, "127.0.0.1", "[::1]") as ways:
            for host, place in spellings.items():
                url = f"http://{place}:{port}{SECRET_PATH}"
                assert await ways.save(url) == ("webhook_blocked", REASONS[host]), url
                assert await ways.test(url) == "blocked", url
                assert await ways.send(url) == ("failed", "blocked"), url
        assert connections(inside) == 0
    assert dials == []


async def test_a_name_with_an_internal_address_has_the_same_verdict_on_all_three_ways(database_url: str) -> None:
    """The internal address may be one among public ones, in either order. A refusal by policy is not reported as a network error."""
    answers: list[tuple[str, ...]] = [(address,) for address in INTERNAL if "%" not in address]
    answers += [("93.184.215.14", "127.0.0.1"), ("127.0.0.1", "93.184.215.14"), ("93.184.215.14", "::1")]
    with listening_inside() as inside, recorded_connections(but=(port_of(database_url),)) as dials:
        port = inside.getsockname()[1]
        url = f"http://hooks.clay.com:{port}{SECRET_PATH}"
        resolver = FixedResolver()
        async with three_ways(database_url, port, resolver=resolver) as ways:
            for addresses in answers:
                resolver.default = addresses
                assert await ways.save(url) == ("webhook_blocked", "address_not_public"), addresses
                assert await ways.test(url) == "blocked", addresses
                assert await ways.send(url) == ("failed", "blocked"), addresses
        assert connections(inside) == 0
    assert dials == []


async def test_a_name_that_changes_at_every_lookup_is_dialled_at_the_checked_address(database_url: str) -> None:
    """The attacker's name server returns an internal address for every second query, with TTL 0.

    127.0.0.2 stands for the Internet, 127.0.0.1 for the internal network. Each operation resolves the name once and connects
    to the address that it has checked.
    """
    async with (
        receiving(Receiver(), "127.0.0.2") as outside,
        name_server(cycle([["127.0.0.2"], ["127.0.0.1"]])) as resolver,
    ):
        port = httpx.URL(outside.url).port or 0
        url = f"http://hooks.clay.com:{port}{SECRET_PATH}"
        with (
            socket.create_server(("127.0.0.1", port)) as inside,
            recorded_connections(but=(port_of(database_url), resolver.port)) as dials,
        ):
            inside.setblocking(False)
            async with three_ways(
                database_url, port, resolver=resolver, allowed_webhook_networks=("127.0.0.2/32",)
            ) as ways:
                report = []
                for _ in range(3):
                    saved = await ways.api.put("/api/clay/config", json={"webhook_url": url})
                    tested = (await ways.api.post("/api/clay/test")).json() if saved.is_success else {}
                    report.append((saved.status_code, tested.get("cause")))
                    await ways.installation.configure(url)
                    tested = (await ways.api.post("/api/clay/test")).json()
                    report.append((0, tested["cause"]))
            assert connections(inside) == 0
    assert {cause for _, cause in report} == {None, "blocked"}, report
    assert set(resolver.server.lookups) == {"hooks.clay.com"}
    assert set(dials) == {("127.0.0.2", port)}


@pytest.mark.parametrize(("names_take_seconds", "cause"), [(60.0, "network_error"), (0.0, "unknown")])
async def test_a_slow_name_server_or_a_slow_response_delays_neither_save_nor_test(
    database_url: str, monkeypatch: pytest.MonkeyPatch, names_take_seconds: float, cause: str
) -> None:
    monkeypatch.setattr(look_up, "RESOLVE_SECONDS", 0.3)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.2)

    limits = {"request_timeout_seconds": 1.0, "connect_timeout_seconds": 0.5, "lease_seconds": 5.0}
    resolver = FixedResolver({"hooks.clay.com": ["127.0.0.2"]})
    async with receivers() as receiver_of:
        port = (await receiver_of(drip, "127.0.0.2")).port
        url = f"http://hooks.clay.com:{port}{SECRET_PATH}"
        ways_of_it = three_ways(
            database_url, port, resolver=resolver, allowed_webhook_networks=("127.0.0.2/32",), **limits
        )
        async with ways_of_it as ways:
            resolver.delay_seconds = names_take_seconds
            async with asyncio.timeout(30.0):  # the name takes 60 s, the response 123 s
                body = {"webhook_url": url, "rate_limit_ms": 100}
                assert (await ways.api.put("/api/clay/config", json=body)).status_code == 200
                assert (await ways.api.post("/api/clay/test")).json()["cause"] == cause


@pytest.mark.parametrize("host", ["localhost", "internal.clay.com.evil.io", "user@hooks.clay.com", "hooks.clay.com#x"])
async def test_other_attacks_have_the_same_verdict_on_all_three_ways(database_url: str, host: str) -> None:
    with listening_inside() as inside:
        port = inside.getsockname()[1]
        async with three_ways(database_url, port, resolver=FixedResolver({"localhost": ["127.0.0.1", "::1"]})) as ways:
            url = f"http://{host}:{port}{SECRET_PATH}"
            assert (await ways.save(url))[0] == "webhook_blocked"
            assert await ways.test(url) == "blocked"
            assert await ways.send(url) == ("failed", "blocked")
        assert connections(inside) == 0


async def test_a_network_error_is_distinguished_from_a_refusal(database_url: str) -> None:
    """An unknown name and a closed port are network errors. The URL is saved, and sending is retried."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    hosts = (f"hooks.clay.com:{port}",)
    resolver = FixedResolver({"hooks.clay.com": []})
    async with install(database_url, leads=1, allowed_webhook_hosts=hosts) as w:
        async with w.database.transaction() as connection:
            key = await create_key(connection, "config", [w.org_id], {Scope.CONFIG}, "test")
        app = create_app(
            w.settings, database=w.database, client=ClayClient.create(w.settings, resolver=resolver), resolver=resolver
        )
        headers = {"Authorization": f"Bearer {key.plain}"}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api", headers=headers) as api,
        ):
            body = {"webhook_url": f"http://hooks.clay.com:{port}{SECRET_PATH}"}
            assert (await api.put("/api/clay/config", json=body)).status_code == 200
            assert (await api.post("/api/clay/test")).json()["cause"] == "network_error"
            resolver.addresses["hooks.clay.com"] = ["127.0.0.1"]
            assert (await api.post("/api/clay/test")).json()["cause"] == "network_error"
        await app.state.client.close()
