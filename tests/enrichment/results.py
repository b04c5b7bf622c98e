"""The application with leads, a results token, and functions to send results as Clay does and to apply them as the worker does."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from clay_push_service.deliveries.invariants import verify
from clay_push_service.enrichment.inbound.applier import ResultApplier
from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import Receiver


@dataclass
class Results:
    api: Api
    path: str
    token: str

    @property
    def lead_id(self) -> UUID:
        return self.api.lead_ids[0]

    async def post(
        self,
        body: object,
        headers: Mapping[str, str] | None = None,
        *,
        path: str | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        """As Clay's HTTP API column sends it. `body`: JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": content_type} | (
            {"Authorization": f"Bearer {self.token}"} if headers is None else dict(headers)
        )
        return await self.api.http.post(path or self.path, content=content, headers=sent)

    async def send(self, body: object) -> Any:
        answer = await self.post(body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def apply(self) -> int:
        app = self.api
        applier = ResultApplier(app.database, app.app.state.host, app.app.state.box)
        return await applier.run_pass()

    async def result(self, **values: object) -> Any:
        """Send and apply values of the first lead."""
        answer = await self.send({"lead_id": str(self.lead_id), **values})
        await self.apply()
        return answer

    async def lead(self, lead_id: UUID | None = None) -> Any:
        return await self.api.call("GET", f"/api/clay/leads/{lead_id or self.lead_id}/enrichment")

    async def field(self, name: str = "email") -> Any:
        return next(each for each in (await self.lead())["fields"] if each["field"] == name)

    async def current(self, name: str = "email") -> Any:
        found = (await self.field(name))["current"]
        return None if found is None else found["value"]

    async def edit(self, body: object, name: str = "email", **expected: Any) -> Any:
        return await self.api.call("PUT", f"/api/clay/leads/{self.lead_id}/enrichment/{name}", body, **expected)

    async def states(self) -> list[tuple[str, str | None]]:
        rows = await self.api.host.connection.fetch("SELECT state, cause FROM clay.inbound_results ORDER BY seq")
        return [(row["state"], row["cause"]) for row in rows]

    async def deliveries(self) -> list[Any]:
        return list(await self.api.host.connection.fetch("SELECT * FROM clay.clay_push_log ORDER BY seq"))

    async def verify(self) -> None:
        async with self.api.owner.transaction() as connection:
            assert await verify(connection, timedelta(0)) == []


@asynccontextmanager
async def results(
    database_url: str, *, leads: int = 2, clay: Receiver | None = None, **settings: Any
) -> AsyncIterator[Results]:
    async with run_api_with_leads(database_url, leads=leads, receiver=clay, **settings) as app:
        token = await app.call("POST", "/api/clay/results-tokens", status=201)
        yield Results(app, token["path"], token["token"])
