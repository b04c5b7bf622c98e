"""Owners read the audit log over HTTP in pages. No request can change it."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.harness.api import Api

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"


async def test_owners_read_the_audit_log_in_pages_and_cannot_change_it(app_client: Api) -> None:
    for number in range(5):
        answer = await app_client.send(
            "POST", "/api/clay/erasures", "owner", json={"contributor_id": str(UUID(int=number))}
        )
        assert answer.status_code == 201, answer.text
    seen: list[Any] = []
    cursor = ""
    while True:
        page = (await app_client.get(f"/api/clay/audit?limit=2{cursor}", "admin")).json()
        seen += page["entries"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [entry["action"] for entry in seen] == ["leads.erased"] * 5
    assert [entry["id"] for entry in seen] == sorted((entry["id"] for entry in seen), reverse=True)
    assert {entry["actor"] for entry in seen} == {"user:owner"}
    assert str(UUID(int=3)) not in str(seen)
    assert (await app_client.get("/api/clay/audit", "member")).json()["code"] == "role_required"
    assert (await app_client.get("/api/clay/audit", "other_owner")).json()["entries"] == []
    assert (await app_client.get("/api/clay/audit?cursor=WzFd", "owner")).status_code == 200
    assert (await app_client.get("/api/clay/audit?cursor=nonsense", "owner")).json()["code"] == "cursor_invalid"
    for change in (
        "UPDATE clay.audit_log SET actor = 'nobody'",
        "DELETE FROM clay.audit_log",
        "TRUNCATE clay.audit_log",
    ):
        with pytest.raises(Exception, match="append-only"):
            async with app_client.owner.transaction() as connection:
                await connection.execute(text(change))
