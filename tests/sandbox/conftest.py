"""One sandbox process per test module, and for each test a source without a rate limit."""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sandbox.webhook import Webhook
from tests.support.sandbox import SandboxProcess


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
