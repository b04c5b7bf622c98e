"""Writes the Clay settings of NexusLeads, and reads the resulting settings of the service."""

from tests.harness.api import WEBHOOK, Api

CONFIG = "/api/clay/config"


async def write_host_settings(app: Api, **values: str | None) -> None:
    """Write settings as the host's settings page does. None removes a setting."""
    for name, value in values.items():
        key = f"CLAY_{name.upper()}"
        await app.host.connection.execute("DELETE FROM org_settings WHERE org_id = $1 AND key = $2", app.org_id, key)
        if value is not None:
            await app.host.add("org_settings", org_id=app.org_id, key=key, value=value)


async def config(app: Api) -> dict[str, object]:
    """Run a sweep, then return the settings. In production a worker sweeps within seconds of a change."""
    await app.sweep_host_settings()
    answer = await app.get(CONFIG, "member")
    assert answer.status_code == 200, answer.text
    assert WEBHOOK not in answer.text
    found: dict[str, object] = answer.json()
    return found


async def versions(app: Api) -> int:
    found: int = await app.host.connection.fetchval("SELECT count(*) FROM clay.destination_versions")
    return found


async def audited_actions(app: Api) -> list[tuple[str, str]]:
    rows = await app.host.connection.fetch("SELECT actor, action FROM clay.audit_log ORDER BY id")
    return [(row["actor"], row["action"]) for row in rows]


async def push(app: Api) -> int:
    lead = await app.host.lead(await app.host.project(app.org_id))
    return (await app.send("POST", "/api/clay/push", "member", json={"lead_ids": [str(lead)]})).status_code
