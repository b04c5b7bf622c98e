"""Calls that create destinations and workspaces through the API."""

from uuid import UUID, uuid4

from tests.harness.api import Api

DESTINATIONS = "/api/clay/destinations"
WORKSPACES = "/api/clay/workspaces"


def webhook() -> str:
    return f"https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-{uuid4()}"


async def create(app: Api, name: str, who: str = "owner", **fields: object) -> dict[str, object]:
    """The destination as the response shows it."""
    answer = await app.send("POST", DESTINATIONS, who, json={"name": name, "webhook_url": webhook(), **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


async def create_workspace(app: Api, name: str, rate_limit_ms: int = 200) -> UUID:
    answer = await app.send("POST", WORKSPACES, "owner", json={"name": name, "rate_limit_ms": rate_limit_ms})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def listed(app: Api, *, archived: bool = False) -> list[dict[str, object]]:
    answer = await app.get(f"{DESTINATIONS}?archived={str(archived).lower()}", "member")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["destinations"]
    return found
