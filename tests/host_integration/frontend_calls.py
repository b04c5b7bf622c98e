"""Calls that NexusLeads' own frontend makes."""

from tests.harness.api import Api

BASE = "/api/integrations"


async def save(page: Api, url: str, who: str = "owner", expect: int = 200) -> dict[str, object]:
    answer = await page.put(f"{BASE}/clay/config", who, {"webhook_url": url})
    assert answer.status_code == expect, answer.text
    found: dict[str, object] = answer.json()
    return found


async def push(page: Api, **body: object) -> dict[str, object]:
    answer = await page.send("POST", f"{BASE}/clay/push", "member", json=body)
    assert answer.status_code == 202, answer.text
    found: dict[str, object] = answer.json()
    return found
