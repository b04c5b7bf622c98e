"""The HTTP application over a miniature NexusLeads, called in memory; every name resolves to where a test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import jwt
from aiohttp.abc import AbstractResolver, ResolveResult
from fastapi import FastAPI

from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.destination_settings.host_sweep import HostSettingsSweep
from clay_push_service.destinations.secret_box import generate_key
from clay_push_service.host.columns import Vintage
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings, load
from tests.support.matrix import chosen_billing, chosen_vintage
from tests.support.nexusleads import MiniatureHost, miniature_host
from tests.support.runtime import runtime_url

JWT_SECRET = "a secret of the tests, and of nobody else"
PUBLIC_ADDRESS = "93.184.215.14"
WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_WEBHOOK = (
    "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-7c9e6679-7425-40de-944b-e07fc1f90ae7"
)


class FixedResolver(AbstractResolver):
    """Answers from a table, and counts."""

    def __init__(self, addresses: Mapping[str, Sequence[str]] | None = None) -> None:
        self.addresses = dict(addresses or {})
        self.default: Sequence[str] = (PUBLIC_ADDRESS,)
        self.asked: list[str] = []
        self.delay_seconds = 0.0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        found = self.addresses.get(host, self.default)
        if not found:
            raise OSError("no such name")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in found
        ]

    async def close(self) -> None:
        pass


def token(username: str, **claims: object) -> str:
    """As NexusLeads signs it; a claim that is None is left out."""
    said = {"sub": username, "exp": int(time.time()) + 600, "type": "access"} | claims
    return jwt.encode({key: value for key, value in said.items() if value is not None}, JWT_SECRET, algorithm="HS256")


@dataclass
class AppClient:
    """Requests as somebody: `await app.get("/api/clay/config", who="alice")`."""

    app: FastAPI
    http: httpx.AsyncClient
    host: MiniatureHost
    database: Database
    """The application's own: the role of least rights."""
    owner: Database
    """The database's owner, to prepare and to inspect."""
    resolver: FixedResolver
    org_id: UUID
    other_org_id: UUID
    credentials: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        who: str | None = None,
        org: UUID | str | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if who is not None:
            sent["Authorization"] = f"Bearer {self.credentials.get(who) or token(who)}"
        if org is not None:
            sent["X-Org-Id"] = str(org)
        if json is None:
            return await self.http.request(method, path, headers=sent)
        return await self.http.request(method, path, headers=sent, json=json)

    async def get(self, path: str, who: str | None = None, **more: object) -> httpx.Response:
        return await self.call("GET", path, who, **more)  # type: ignore[arg-type]  # call's own keywords

    async def put(self, path: str, who: str | None, json: object, **more: object) -> httpx.Response:
        return await self.call("PUT", path, who, json=json, **more)  # type: ignore[arg-type]  # likewise

    async def sweep_host_settings(self) -> int:
        """Store changes of the host's settings page, as a worker does. Returns the number of organizations."""
        settings: Settings = self.app.state.settings
        return await HostSettingsSweep(self.database, HostTableCache(settings.host_schema), settings).run_pass()

    async def key(self, *scopes: Scope, orgs: Sequence[UUID] | None = None, name: str = "nightly") -> str:
        async with self.database.transaction() as connection:
            made = await create_key(connection, name, [self.org_id] if orgs is None else orgs, scopes, "operator")
        self.credentials[made.key.prefix] = made.plain
        return made.key.prefix


def app_settings(database_url: str, **values: object) -> Settings:
    said: dict[str, object] = {
        "database_url": runtime_url(database_url),
        "jwt_secret": JWT_SECRET,
        "encryption_keys": generate_key(),
        "billing_enabled": chosen_billing(),
    }
    return load(None, **(said | values))


@asynccontextmanager
async def running_app(
    database_url: str, *, vintage: Vintage | None = None, clock: DatabaseClock | None = None, **settings: object
) -> AsyncIterator[AppClient]:
    """The application as the role of least rights. Without `vintage` or `billing_enabled`, the test's id chooses.

    Two organizations; `owner`, `admin` and `member` in the first, `stranger` owns the second, `both` is in both.
    """
    resolver = FixedResolver()
    enterprise = None if "billing_enabled" not in settings else False  # a test of the gate makes its own billing rows
    async with miniature_host(database_url, vintage or chosen_vintage(), enterprise=enterprise) as host:
        org_id, other_org_id = await host.organization("Acme"), await host.organization("Other")
        for role in ("owner", "admin", "member"):
            await host.member(org_id, role, role)
        await host.member(other_org_id, "stranger", "owner")
        both = await host.member(org_id, "both", "owner")
        await host.add("org_members", org_id=other_org_id, user_id=both, role="member")
        app = create_app(app_settings(database_url, **settings), resolver=resolver, clock=clock)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://clay-push.test") as http,
        ):
            owner = Database(database_url, pool_size=2, application="test-owner")
            try:
                yield AppClient(app, http, host, app.state.database, owner, resolver, org_id, other_org_id)
            finally:
                await owner.close()
