"""A project whose leads meet each clause of a rule, over the API."""

from dataclasses import dataclass
from uuid import UUID

from tests.harness.api import Api


@dataclass(frozen=True, slots=True)
class Project:
    """`best` meets the rule of the tests (at least 70, DECISION_MAKER or CHAMPION); each other lead fails one clause."""

    api: Api
    id: UUID
    best: UUID
    champion: UUID
    low: UUID
    unscored: UUID
    other_class: UUID
    unclassified: UUID

    @property
    def path(self) -> str:
        return f"/api/clay/projects/{self.id}/auto-export"

    async def configure(self) -> None:
        body = {"webhook_url": self.api.receiver.url, "rate_limit_ms": 0}
        answer = await self.api.put("/api/clay/config", "owner", body)
        assert answer.status_code == 200, answer.text

    async def rule(self, **rule: object) -> dict[str, object]:
        body = {"enabled": True, "min_score": 70, "classifications": ["DECISION_MAKER", "CHAMPION"]} | rule
        answer = await self.api.put(self.path, "owner", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def run(self, source_job_id: UUID | None = None, status: int = 202) -> dict[str, object]:
        body = {"source_job_id": str(source_job_id)} if source_job_id else {}
        answer = await self.api.send("POST", f"{self.path}/run", "member", json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, object] = answer.json()
        return found
