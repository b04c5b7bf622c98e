"""Random sequences of results equal a reference model: late, doubled, reordered, in another case, of another organization.

All sequences go through the endpoint and the database: each has a lead of its own, and they are sent mixed together.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.enrichment.results import Results, results

START = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESSES = ("a@example.com", "b@example.com", "c@example.com")
FEW, MANY = 120, 1000


@dataclass
class Model:
    """What the lead's e-mail must be: written a second time and simply, from the rules in docs/enrichment.md."""

    pinned: str | None = None
    seen: dict[datetime, tuple[str, int | None]] = field(default_factory=dict)
    searches: set[datetime] = field(default_factory=set)

    def add_result(self, at: datetime, address: str, confidence: int | None) -> None:
        """One result; the same one again changes nothing."""
        self.searches.add(at)
        if address:
            self.seen[at] = (address.lower(), confidence)

    @property
    def current(self) -> str | None:
        if self.pinned is not None:
            return self.pinned
        kept: tuple[datetime, str, int | None] | None = None
        for at in sorted(self.seen):
            address, confidence = self.seen[at]
            if kept is not None and kept[1] != address and confidence is not None and kept[2] is not None:
                young = at - kept[0] < timedelta(days=180)
                if young and kept[2] - confidence > 20:
                    continue
            kept = (at, address, confidence)
        return None if kept is None else kept[1]


def a_result(chance: random.Random, lead_id: UUID, at: datetime) -> tuple[dict[str, Any], str, int | None]:
    """A body in one of the forms in which Clay may send it."""
    address = chance.choice([*ADDRESSES, ""])
    confidence = chance.choice([None, 10, 60, 85, 100])
    written = chance.choice([address, address.upper()])
    email, lead, last_run = chance.choice(
        [
            ("email", "lead_id", "observed_at"),
            ("Work Email", "Lead ID", "Last Run"),
            ("EMAIL", "nexusleadsContributorId", "lastRunAt"),
        ]
    )
    body: dict[str, Any] = {
        lead: chance.choice([str(lead_id), str(lead_id).upper()]),
        email: written,
        last_run: at.isoformat(),
    }
    if confidence is not None:
        body[f"{email} confidence"] = chance.choice([confidence, f"{confidence}%", str(confidence)])
    return body, address, confidence


async def run(app: Results, sequences: int, seed: int) -> None:
    chance = random.Random(seed)
    project_id = app.api.project_id
    models = {await app.api.host.lead(project_id): Model() for _ in range(sequences)}
    theirs = await app.api.call("POST", "/api/clay/results-tokens", status=201, who="other_owner")
    foreign = {"X-Clay-Push-Token": theirs["token"]}
    sent: list[dict[str, Any]] = []
    for lead_id, model in models.items():
        for number, day in enumerate(chance.sample(range(300), chance.randint(1, 6))):
            body, address, confidence = a_result(chance, lead_id, START + timedelta(days=day, seconds=number))
            at = START + timedelta(days=day, seconds=number)
            model.add_result(at, address, confidence)
            sent += [body] * chance.choice([1, 1, 2])
    chance.shuffle(sent)
    for number, body in enumerate(sent):
        assert (await app.post(body)).status_code == 200
        if chance.random() < 0.05:  # the same body with the token of another organization, which has no such lead
            assert (await app.post(body, foreign, path=theirs["path"])).status_code == 200
        if number % 97 == 0:
            await app.apply()
        if number % 40 == 0:  # a user pins the current value
            lead_id = chance.choice(list(models))
            answer = await app.api.put(f"/api/clay/leads/{lead_id}/enrichment/email", "member", {"pinned": True})
            if answer.status_code == 200 and models[lead_id].pinned is None:
                models[lead_id].pinned = answer.json()["fields"][0]["current"]["value"].lower()
    await app.apply()
    rows = await app.api.host.connection.fetch(
        "SELECT current.lead_id, value.value #>> '{}' AS email FROM clay.enriched_current AS current"
        " JOIN clay.enriched_values AS value ON value.id = current.value_id"
    )
    found = {row["lead_id"]: row["email"].lower() for row in rows}
    assert found == {lead_id: model.current for lead_id, model in models.items() if model.current is not None}
    counts = await app.api.host.connection.fetch(
        "SELECT lead_id, count(*) AS number FROM clay.enriched_values GROUP BY 1"
    )
    assert {row["lead_id"]: row["number"] for row in counts} == {
        lead_id: len(model.searches) for lead_id, model in models.items()
    }
    assert any(model.pinned for model in models.values())


async def test_random_sequences_of_results_equal_the_model(database_url: str) -> None:
    async with results(database_url, leads=1) as app:
        await run(app, FEW, seed=1)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_thousand_random_sequences_of_results_equal_the_model(database_url: str) -> None:
    async with results(database_url, leads=1) as app:
        await run(app, MANY, seed=2)
