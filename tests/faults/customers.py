"""Organizations that use the API over HTTP during faults: they push, cancel, retry, save settings and erase leads."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from tests.faults.random_receiver import RandomReceiver
from tests.harness.fault_run import FaultRun

ANSWERED = frozenset({200, 201, 202, 404, 409, 422, 429, 503})
"""Status codes that the API may return during faults. 500 is not one of them."""


@dataclass
class Customer:
    """An organization that calls the API with a service key, at any web process that is running."""

    org_id: UUID
    project_id: UUID
    lead_ids: list[UUID]
    clay: RandomReceiver
    rates_ms: Sequence[int]
    most_pending: int
    key: str
    urls: Sequence[str]
    chance: random.Random
    jobs: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response | None:
        """Send a request. Returns None if the process is down or its response was lost."""
        sent = {"Authorization": f"Bearer {self.key}", "X-Org-Id": str(self.org_id)} | headers
        try:
            async with httpx.AsyncClient(base_url=self.chance.choice(self.urls), timeout=5.0) as client:
                answer = await client.request(method, path, json=body, headers=sent)
        except httpx.HTTPError:
            return None
        self.answers[answer.status_code] += 1
        assert answer.status_code in ANSWERED, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    async def push(self, *, size: int = 40, again: bool = False) -> None:
        """Push, and repeat the same request with the same idempotency key until it gets a response, at most three times."""
        leads = self.chance.sample(self.lead_ids, min(size, len(self.lead_ids)))
        body = {"lead_ids": [str(each) for each in leads], "project_id": str(self.project_id), "push_again": again}
        key = {"Idempotency-Key": str(uuid4())}
        for _ in range(3):
            answer = await self.call("POST", "/api/clay/push", body, **key)
            if answer is not None and answer.status_code == 202:
                self.jobs.append(str(answer.json()["job_id"]))
            if answer is not None and answer.status_code != 503:
                return

    async def cancel(self) -> None:
        if self.jobs:
            await self.call("POST", f"/api/clay/jobs/{self.chance.choice(self.jobs[-5:])}/cancel")

    async def retry(self) -> None:
        if self.jobs:
            body = self.chance.choice(({}, {"causes": ["unknown"]}, {"causes": ["server_error", "cancelled"]}))
            answer = await self.call("POST", f"/api/clay/jobs/{self.chance.choice(self.jobs)}/retry", body)
            if answer is not None and answer.status_code == 202:
                self.jobs.append(str(answer.json()["job_id"]))

    async def save(self) -> None:
        body = {"table_name": f"Leads {self.chance.randint(1, 9)}", "rate_limit_ms": self.chance.choice(self.rates_ms)}
        await self.call("PUT", "/api/clay/config", body)

    async def erase(self) -> None:
        await self.call("POST", "/api/clay/erasures", {"lead_ids": [str(self.chance.choice(self.lead_ids))]})

    async def look(self) -> None:
        for path in ("/api/clay/status", "/api/clay/jobs"):
            await self.call("GET", path)


async def customer(
    run: FaultRun, project: tuple[UUID, UUID, list[UUID]], clay: RandomReceiver, rates_ms: Sequence[int], *,
    most_pending: int, urls: Sequence[str], chance: random.Random,
) -> Customer:  # fmt: skip
    """Create an organization with a destination and a service key."""
    org_id, project_id, lead_ids = project
    await run.installation.configure(clay.url, org_id=org_id, rate_limit_ms=rates_ms[0])
    scopes = [Scope.PUSH, Scope.READ, Scope.CONFIG, Scope.ERASE]
    async with run.installation.database.transaction() as connection:
        made = await create_key(connection, "chaos", [org_id], scopes, "operator")
    return Customer(org_id, project_id, lead_ids, clay, rates_ms, most_pending, made.plain, urls, chance)
