"""Runs the HTTP application of an installation in this process. Tests choose the addresses that host names resolve to."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from fastapi import FastAPI

from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.destination_settings.host_sweep import HostSettingsSweep
from clay_push_service.enrichment.settings.host_sweep import ApiKeySweep
from clay_push_service.host.columns import Vintage
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings
from tests.harness.installation import Installation, Part, address_of, install_with_settings
from tests.harness.settings import access_token, make_local_settings, make_settings
from tests.support.receiver import Receiver, receiving

PUBLIC_ADDRESS = "93.184.215.14"
WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_WEBHOOK = (
    "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-7c9e6679-7425-40de-944b-e07fc1f90ae7"
)
FINISHED = frozenset({"completed", "failed", "cancelled"})


class FixedResolver(AbstractResolver):
    """Resolves host names from a table and records each lookup."""

    def __init__(self, addresses: Mapping[str, Sequence[str]] | None = None) -> None:
        self.addresses = dict(addresses or {})
        self.default: Sequence[str] = (PUBLIC_ADDRESS,)
        self.lookups: list[str] = []
        self.delay_seconds = 0.0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.lookups.append(host)
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


@dataclass
class Api(Part):
    """Sends requests as a user or with an API key: `await api.get("/api/clay/config", who="member")`."""

    app: FastAPI
    http: httpx.AsyncClient
    resolver: FixedResolver
    receiver: Receiver
    """Runs in this process. Only the settings of `run_local_api` allow the application to send to it."""
    credentials: dict[str, str] = field(default_factory=dict)
    """Plain API keys, by the name that `key` returns."""

    @property
    def database(self) -> Database:
        """The application's own connections."""
        database = self.app.state.database
        assert isinstance(database, Database)
        return database

    def headers(self, who: str = "owner") -> dict[str, str]:
        """Returns the authorization header of a user, or of a key that `key` created."""
        return {"Authorization": f"Bearer {self.credentials.get(who) or access_token(who)}"}

    async def send(
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
            sent |= self.headers(who)
        if org is not None:
            sent["X-Org-Id"] = str(org)
        if json is None:
            return await self.http.request(method, path, headers=sent)
        return await self.http.request(method, path, headers=sent, json=json)

    async def get(self, path: str, who: str | None = None, **more: object) -> httpx.Response:
        return await self.send("GET", path, who, **more)  # type: ignore[arg-type]  # send's own keywords

    async def put(self, path: str, who: str | None, json: object, **more: object) -> httpx.Response:
        return await self.send("PUT", path, who, json=json, **more)  # type: ignore[arg-type]  # likewise

    async def sweep_host_settings(self) -> int:
        """Store changes that were made on the host's settings page, as a worker does. Returns the number of organizations."""
        settings: Settings = self.app.state.settings
        return await HostSettingsSweep(self.database, HostTableCache(settings.host_schema), settings).run_pass()

    async def sweep_api_keys(self) -> int:
        """Store API keys from the host's settings page, as a worker does. Returns the number of organizations."""
        settings: Settings = self.app.state.settings
        return await ApiKeySweep(self.database, HostTableCache(settings.host_schema), settings).run_pass()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int | None = None,
        who: str = "owner",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and check its status: `status`, or any success. Returns the response's JSON."""
        response = await self.send(method, path, who, json=body, headers=headers)
        expected = response.is_success if status is None else response.status_code == status
        assert expected, f"{response.status_code} {response.text}"
        return response.json()

    async def key(self, *scopes: Scope, orgs: Sequence[UUID] | None = None, name: str = "nightly") -> str:
        """Create an API key. Returns its name, which `who` accepts."""
        async with self.database.transaction() as connection:
            made = await create_key(connection, name, [self.org_id] if orgs is None else orgs, scopes, "operator")
        self.credentials[made.key.prefix] = made.plain
        return made.key.prefix

    async def push(self, lead_ids: Sequence[UUID] | None = None, **body: Any) -> Any:
        """Push these leads, or all leads of the project. Returns the API's response."""
        selection = {"lead_ids": [str(each) for each in lead_ids or self.lead_ids], "project_id": str(self.project_id)}
        return await self.call("POST", "/api/clay/push", selection | body)

    async def queue(self, lead_ids: Sequence[UUID] | None = None, **body: Any) -> str:
        """Push these leads, or all leads of the project. Returns the job's id."""
        return str((await self.push(lead_ids, **body))["job_id"])

    async def job(self, job_id: str) -> Any:
        return await self.call("GET", f"/api/clay/jobs/{job_id}")

    async def finished(self, job_id: UUID | str, seconds: float = 30.0) -> Any:
        """Wait until a worker finishes the job. Returns the job."""
        async with asyncio.timeout(seconds):
            while (job := await self.job(str(job_id)))["status"] not in FINISHED:  # noqa: ASYNC110 - a worker is another process
                await asyncio.sleep(0.05)
        return job

    async def drain(self) -> None:
        """Drain every unfinished push job in this process, as a worker does."""
        await self.installation.drain()

    async def push_and_drain(self, lead_ids: Sequence[UUID] | None = None, **body: Any) -> Any:
        """Push these leads and drain the job. Returns the finished job."""
        job_id = await self.queue(lead_ids, **body)
        await self.drain()
        return await self.job(job_id)


@asynccontextmanager
async def serve_in_process(
    installation: Installation,
    receiver: Receiver,
    resolver: FixedResolver | None = None,
    clock: DatabaseClock | None = None,
) -> AsyncIterator[Api]:
    """Without `resolver`, the operating system resolves host names."""
    app = create_app(installation.settings, resolver=resolver, clock=clock)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://clay-push.test") as http,
    ):
        yield Api(installation, app, http, resolver or FixedResolver(), receiver)


@asynccontextmanager
async def run_api(
    database_url: str, *, vintage: Vintage | None = None, clock: DatabaseClock | None = None, **changes: object
) -> AsyncIterator[Api]:
    """The application with production settings, changed by `changes`. It has no project and no webhook.

    `vintage` and `billing_enabled` default to the combination that `matrix` chooses for the test.
    """
    enterprise = None if "billing_enabled" not in changes else False  # tests of the gate insert their own billing rows
    settings = make_settings(database_url, **changes)
    async with (
        receiving() as receiver,
        install_with_settings(settings, database_url, vintage, enterprise=enterprise) as installation,
        serve_in_process(installation, receiver, FixedResolver(), clock) as api,
    ):
        yield api


@asynccontextmanager
async def run_local_api(
    database_url: str, vintage: Vintage | None = None, receiver: Receiver | None = None, **changes: object
) -> AsyncIterator[Api]:
    """Like `run_api`, but the application may send to the receiver in this process, and its wait times are short."""
    enterprise = None if "billing_enabled" not in changes else False
    async with receiving(receiver) as clay:
        hosts = f"{address_of(clay)},clay.com,*.clay.com"
        settings = make_local_settings(database_url, **({"allowed_webhook_hosts": hosts} | changes))
        async with (
            install_with_settings(settings, database_url, vintage, enterprise=enterprise) as installation,
            serve_in_process(installation, clay, FixedResolver()) as api,
        ):
            yield api


@asynccontextmanager
async def run_api_with_leads(
    database_url: str,
    *,
    leads: int = 3,
    receiver: Receiver | None = None,
    rate_limit_ms: int = 0,
    vintage: Vintage | None = None,
    **changes: object,
) -> AsyncIterator[Api]:
    """Like `run_local_api`, with a project, leads and a saved webhook. Each lead has a different score and no activity."""
    async with run_local_api(database_url, vintage, receiver, **changes) as api:
        made = api.installation
        made.project_id = await made.host.project(made.org_id)
        scores = [90 - number / 10 for number in range(leads)]
        made.lead_ids = sorted([await made.host.lead(made.project_id, score=score) for score in scores])
        body = {"webhook_url": api.receiver.url, "table_name": "Leads", "rate_limit_ms": rate_limit_ms}
        await api.call("PUT", "/api/clay/config", body)
        yield api
