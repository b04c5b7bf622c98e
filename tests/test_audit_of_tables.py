"""Every change of destinations, workspaces, mappings and table templates adds its audit entry, which names what was changed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.destination_settings.destination_calls import DESTINATIONS, WORKSPACES, webhook
from tests.harness.api import Api, run_api_with_leads

MAPPINGS = "/api/clay/mappings"
TEMPLATES = "/api/clay/templates"
EMAIL = {"key": "E-mail", "field": "email", "type": "email"}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url, leads=2) as made:
        yield made


class Entries:
    """The audit entries since the last call."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen = 0

    async def new(self) -> list[tuple[str, dict[str, Any]]]:
        entries = (await self._api.call("GET", "/api/clay/audit"))["entries"]
        found = [each for each in reversed(entries) if each["id"] > self._seen]
        self._seen = max((each["id"] for each in found), default=self._seen)
        assert {each["actor"] for each in found} <= {"user:owner"}
        return [(each["action"], each["details"]) for each in found]


async def test_each_change_of_a_destination_names_it(api: Api) -> None:
    entries = Entries(api)
    await entries.new()
    made = await api.call("POST", DESTINATIONS, {"name": "Enterprise", "webhook_url": f"{api.receiver.url}-b"})
    [created, webhook_set] = await entries.new()
    assert (created[0], created[1]["destination_id"], created[1]["name"]) == (
        "destination.created", made["id"], "Enterprise",
    )  # fmt: skip
    assert (webhook_set[0], webhook_set[1]["destination_id"]) == ("config.changed", made["id"])
    one = f"{DESTINATIONS}/{made['id']}"
    mapping = await api.call("POST", MAPPINGS, {"name": "Lean", "columns": [EMAIL]})
    await entries.new()
    for method, path, body, action in (
        ("PUT", one, {"name": "Large", "dedupe": "none"}, "destination.changed"),
        ("PUT", one, {"mapping_id": mapping["id"]}, "destination.mapping_changed"),
        ("PUT", f"{one}/mapping", {"mapping_id": None}, "destination.mapping_changed"),
        ("PUT", one, {"quota_limit": None}, "config.changed"),
        ("PUT", one, {"new_table": True}, "config.changed"),
        ("POST", f"{one}/test", None, "config.tested"),
        ("PUT", one, {"webhook_url": f"{api.receiver.url}-c", "webhook_token": "tok-en"}, "config.changed"),
        ("POST", f"{one}/new-table", {"version": 2}, "config.changed"),
        ("PUT", one, {"is_default": True}, "destination.changed"),
    ):
        await api.call(method, path, body)
        found = await entries.new()
        assert [(name, details["destination_id"]) for name, details in found] == [(action, made["id"])], (path, body)
    [default] = [each for each in (await api.call("GET", DESTINATIONS))["destinations"] if not each["is_default"]]
    await api.call("DELETE", f"{DESTINATIONS}/{default['id']}")
    found = await entries.new()
    assert [(name, details["destination_id"]) for name, details in found] == [
        ("config.removed", default["id"]), ("destination.archived", default["id"]),
    ]  # fmt: skip
    report = (await api.get("/api/clay/audit", "owner")).text
    assert (api.receiver.url in report, "tok-en" in report) == (False, False)


async def test_each_change_of_a_workspace_names_it(api: Api) -> None:
    entries = Entries(api)
    await entries.new()
    made = await api.call("POST", WORKSPACES, {"name": "Sales", "rate_limit_ms": 500})
    await api.call("PUT", f"{WORKSPACES}/{made['id']}", {"name": "Sales, Europe", "rate_limit_ms": 200})
    await api.call("PUT", f"{WORKSPACES}/{made['id']}", {"name": "Sales, Europe"})
    assert await entries.new() == [
        ("workspace.created", {"workspace_id": made["id"], "name": "Sales", "rate_limit_ms": 500}),
        ("workspace.changed", {"workspace_id": made["id"], "name": "Sales, Europe", "rate_limit_ms": 200}),
    ]


async def test_a_workspace_that_a_webhook_of_clay_slows_down_is_named(api: Api) -> None:
    """The default workspace of this test has no pace, because its webhook is in an allowed network."""
    entries = Entries(api)
    other = await api.call("POST", WORKSPACES, {"name": "Sales"})
    made = await api.call("POST", DESTINATIONS, {"name": "B", "webhook_url": webhook(), "workspace_id": other["id"]})
    await entries.new()
    default = next(each for each in (await api.call("GET", WORKSPACES))["workspaces"] if each["is_default"])
    assert default["rate_limit_ms"] == 0
    await api.call("PUT", f"{DESTINATIONS}/{made['id']}", {"workspace_id": default["id"]})
    assert await entries.new() == [
        ("workspace.changed", {"workspace_id": default["id"], "rate_limit_ms": 200}),
        ("destination.changed", {"destination_id": made["id"], "workspace_id": default["id"]}),
    ]


async def test_each_change_of_a_mapping_and_a_template_names_it(api: Api) -> None:
    entries = Entries(api)
    await entries.new()
    made = await api.call("POST", MAPPINGS, {"name": "Lean", "columns": [EMAIL]})
    await api.call("PUT", f"{MAPPINGS}/{made['id']}", {"columns": [EMAIL, {"key": "Bio", "field": "bio"}]})
    template = await api.call("POST", TEMPLATES, {"name": "Ours", "mapping_id": made["id"]})
    await api.send("DELETE", f"{TEMPLATES}/{template['key']}", "owner")
    await api.send("DELETE", f"{MAPPINGS}/{made['id']}", "owner")
    assert await entries.new() == [
        ("mapping.created", {"mapping_id": made["id"], "name": "Lean", "columns": 1}),
        ("mapping.changed", {"mapping_id": made["id"], "name": "Lean", "version": 2, "columns": 2}),
        ("table_template.saved", {"template_id": template["key"], "name": "Ours"}),
        ("table_template.removed", {"template_id": template["key"]}),
        ("mapping.archived", {"mapping_id": made["id"]}),
    ]


async def test_a_push_names_each_of_its_destinations(api: Api) -> None:
    second = await api.call("POST", DESTINATIONS, {"name": "Enterprise", "webhook_url": f"{api.receiver.url}-b"})
    [default] = [each for each in (await api.call("GET", DESTINATIONS))["destinations"] if each["is_default"]]
    version = (await api.call("GET", "/api/clay/routes"))["version"]
    routes = [{"destination_id": second["id"], "continue": True}, {"destination_id": default["id"]}]
    await api.call("PUT", "/api/clay/routes", {"version": version, "routes": routes})
    entries = Entries(api)
    await entries.new()
    pushed = await api.push()
    found = {details["destination"]: (name, details) for name, details in await entries.new()}
    assert set(found) == {"Enterprise", "Default"}
    for job in pushed["jobs"]:
        name, details = found[job["destination"]["name"]]
        assert (name, details["destination_id"], details["job_id"], details["leads"]) == (
            "push_job.accepted", job["destination"]["id"], job["job_id"], 2,
        )  # fmt: skip
