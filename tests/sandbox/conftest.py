"""One sandbox process a test module, and a source of its own, without a rate, for each test."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support.sandbox import Json, SandboxProcess


@dataclass(frozen=True)
class Webhook:
    """A source and how a client reaches it."""

    sandbox: SandboxProcess
    source: str
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        return self.sandbox.webhook_url(self.source)

    async def post(self, body: Json = None, *, token: str | None = None) -> httpx.Response:
        headers = {} if token is None else {"x-clay-webhook-auth": token}
        return await self.client.post(self.url, json=payload() if body is None else body, headers=headers)

    async def faults(self, *rules: dict[str, Json], seed: int = 0, idle_close_ms: int | None = None) -> None:
        await self.sandbox.faults(*rules, source=self.source, seed=seed, idle_close_ms=idle_close_ms)


def payload(delivery: str = "d-1", lead: str = "l-1", **fields: Json) -> dict[str, Json]:
    return {"full_name": "Ada", **fields, "_meta": {"delivery_id": delivery, "nexusleads_contributor_id": lead}}


@pytest.fixture
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
async def webhook(sandbox: SandboxProcess) -> AsyncIterator[Webhook]:
    source = f"pull-in-data-from-a-webhook-{uuid.uuid4()}"
    await sandbox.create_source(source, rate=None)
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        yield Webhook(sandbox, source, client)
