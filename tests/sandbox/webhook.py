"""A source of the sandbox and a client for it."""

from dataclasses import dataclass

import httpx

from tests.support.sandbox import Json, SandboxProcess


@dataclass(frozen=True)
class Webhook:
    """A source and a client for it."""

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
