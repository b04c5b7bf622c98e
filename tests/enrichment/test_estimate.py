"""What leads would cost: from the prices that are set, or from the guide's figures, and always called an estimate."""

from typing import Any
from uuid import uuid4

import pytest

from tests.enrichment.conftest import CONFIG, ROUTINE
from tests.harness.api import Api

ESTIMATE = "/api/clay/enrichment/estimate"


async def leads(app: Api, count: int) -> list[str]:
    project = await app.host.project(app.org_id)
    return [str(await app.host.lead(project)) for _ in range(count)]


async def estimate(app: Api, kind: str, lead_ids: list[str]) -> dict[str, Any]:
    response = await app.send("POST", ESTIMATE, "member", json={"kind": kind, "lead_ids": lead_ids})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize(("kind", "low", "high"), [("email", 3, 6), ("full", 15, 30)])
async def test_without_a_price_the_figures_are_the_guides(app_client: Api, kind: str, low: int, high: int) -> None:
    found = await estimate(app_client, kind, await leads(app_client, 3))
    assert (found["kind"], found["lead_count"]) == (kind, 3)
    assert found["estimate"]["credits"] == {"low": low, "high": high}
    assert found["estimate"]["actions"] == {"low": 3, "high": None}
    assert found["estimate"]["notes"][0] == "An estimate: Clay reports no cost per run."
    assert "enrichment guide" in found["estimate"]["notes"][1]


async def test_a_price_that_is_set_replaces_them(app_client: Api) -> None:
    routine = ROUTINE | {"credits": {"low": 0.5, "high": 1.25}, "actions": {"low": 2, "high": 3}}
    assert (await app_client.put(CONFIG, "owner", {"routines": {"email": routine}})).status_code == 200
    found = await estimate(app_client, "email", await leads(app_client, 2))
    assert found["estimate"] == {
        "credits": {"low": 1, "high": 2.5},
        "actions": {"low": 4, "high": 6},
        "notes": ["An estimate: Clay reports no cost per run."],
    }


async def test_a_lead_that_is_named_twice_counts_once(app_client: Api) -> None:
    [one] = await leads(app_client, 1)
    assert (await estimate(app_client, "email", [one, one]))["lead_count"] == 1


@pytest.mark.parametrize("count", [0, 51])
async def test_1_to_50_leads(app_client: Api, count: int) -> None:
    body = {"kind": "email", "lead_ids": [str(uuid4()) for _ in range(count)]}
    assert (await app_client.send("POST", ESTIMATE, "member", json=body)).status_code == 422


async def test_a_lead_of_another_organization_is_404(app_client: Api) -> None:
    own = await leads(app_client, 1)
    foreign = await app_client.host.lead(await app_client.host.project(app_client.other_org_id))
    response = await app_client.send(
        "POST", ESTIMATE, "member", json={"kind": "full", "lead_ids": [*own, str(foreign)]}
    )
    assert (response.status_code, response.json()["code"]) == (404, "lead_not_found")
    assert response.json()["lead_ids"] == [str(foreign)]
