"""A project whose leads meet each clause of a rule, on a NexusLeads of either vintage."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from clay_push_service.host.columns import Vintage
from tests.support.app import AppClient
from tests.support.vintages import Connected, connected_app


@dataclass(frozen=True, slots=True)
class Project:
    """`best` meets the rule of the tests (at least 70, DECISION_MAKER or CHAMPION); the others each break it."""

    connected: Connected
    id: UUID
    best: UUID
    champion: UUID
    low: UUID
    unscored: UUID
    other_class: UUID
    unclassified: UUID

    @property
    def app(self) -> AppClient:
        return self.connected.app

    @property
    def path(self) -> str:
        return f"/api/clay/projects/{self.id}/auto-export"

    async def configure(self) -> None:
        body = {"webhook_url": self.connected.clay.url, "rate_limit_ms": 0}
        answer = await self.app.put("/api/clay/config", "owner", body)
        assert answer.status_code == 200, answer.text

    async def rule(self, **rule: object) -> dict[str, object]:
        body = {"enabled": True, "min_score": 70, "classifications": ["DECISION_MAKER", "CHAMPION"]} | rule
        answer = await self.app.put(self.path, "owner", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def run(self, source_job_id: UUID | None = None, status: int = 202) -> dict[str, object]:
        body = {"source_job_id": str(source_job_id)} if source_job_id else {}
        answer = await self.app.call("POST", f"{self.path}/run", "member", json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, object] = answer.json()
        return found


@pytest.fixture(params=list(Vintage), ids=str)
async def project(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Project]:
    async with connected_app(database_url, Vintage(request.param)) as connected:
        host = connected.app.host
        project_id = await host.project(connected.app.org_id)

        async def lead(score: float | None, classification: str | None) -> UUID:
            made = await host.lead(project_id, score=score)
            if classification is not None:
                await host.add("social_context", lead_id=made, classification=classification)
            return made

        yield Project(
            connected,
            project_id,
            best=await lead(95, "DECISION_MAKER"),
            champion=await lead(70, "CHAMPION"),
            low=await lead(69.99, "DECISION_MAKER"),
            unscored=await lead(None, "DECISION_MAKER"),
            other_class=await lead(90, "KEY_CONTRIBUTOR"),
            unclassified=await lead(90, None),
        )
