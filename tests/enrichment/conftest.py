"""The application with a sandbox that responds like Clay's public API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness.api import Api, run_api
from tests.support.sandbox import Json, SandboxProcess

CONFIG = "/api/clay/enrichment/config"
TEST = "/api/clay/enrichment/test"
KEY = "clay_key_of_the_tests_0123456789abcd"
OTHER_KEY = "clay_key_of_another_workspace_wxyz"
INPUTS = {"Full Name": "full_name", "Company Name": "company_name"}
ROUTINE = {"routine_id": "email", "inputs": INPUTS, "outputs": {"email": "work_email"}}


@dataclass
class Enrichment:
    app: Api
    sandbox: SandboxProcess

    async def plan(self, **fields: Json) -> None:
        """Replace the behaviour of the sandbox's API."""
        response = await self.sandbox.admin.put("/sandbox/api", json=fields)
        assert response.is_success, response.text

    async def clay(self) -> dict[str, Any]:
        state: dict[str, Any] = (await self.sandbox.admin.get("/sandbox/api")).json()
        return state

    async def save(self, **fields: object) -> dict[str, Any]:
        response = await self.app.put(CONFIG, "owner", fields)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def read(self) -> dict[str, Any]:
        response = await self.app.get(CONFIG, "member")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def test(self, **body: object) -> dict[str, Any]:
        response = await self.app.send("POST", TEST, "owner", json=body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


@pytest.fixture
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
async def enrichment(database_url: str, sandbox: SandboxProcess) -> AsyncIterator[Enrichment]:
    async with run_api(
        database_url,
        clay_api_url=f"{sandbox.url}/public/v0",
        allowed_webhook_hosts=f"clay.com,*.clay.com,127.0.0.1:{sandbox.port}",
        allowed_webhook_networks="127.0.0.0/8",
        allow_plain_http=True,
    ) as app:
        yield Enrichment(app, sandbox)
