"""The list of leads and the preview show leads that changed since Clay accepted them, and only those."""

import pytest

from tests.harness.api import Api, run_api_with_leads


async def states(p: Api, project: object = None) -> dict[str, str]:
    page = await p.call("GET", f"/api/clay/leads?project_id={project or p.project_id}")
    return {lead["id"]: lead["clay"]["state"] for lead in page["leads"]}


async def changed_since(p: Api, project: object = None, **body: object) -> int:
    seen = await p.call("POST", "/api/clay/preview", {"project_id": str(project or p.project_id)} | body)
    return int(seen["changed_since"])


async def test_a_changed_lead_is_listed(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        await p.push_and_drain()
        first, *rest = p.lead_ids
        await p.host.connection.execute(f"UPDATE {p.host.name('leads')} SET company = 'New Inc.' WHERE id = $1", first)
        assert await states(p) == {str(first): "changed", **{str(each): "in_clay" for each in rest}}
        assert await changed_since(p) == 1
        assert await changed_since(p, push_again=True) == 1


async def test_scores_of_another_project_are_not_a_change(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        await p.push_and_drain()
        other = await p.host.project(p.org_id, "Other")
        for lead_id in p.lead_ids:
            await p.host.scored(lead_id, other, score=11, priority="low")
        assert set((await states(p, other)).values()) == {"in_clay"}
        assert await changed_since(p, other) == 0
        assert await changed_since(p, other, push_again=True) == 0


async def test_a_renamed_project_changes_no_lead(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        await p.push_and_drain()
        await p.host.connection.execute("UPDATE projects SET name = 'Renamed'")
        assert set((await states(p)).values()) == {"in_clay"}
        assert await changed_since(p) == 0


async def test_a_lead_that_left_the_project_it_was_pushed_from_is_in_clay(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as p:
        await p.push_and_drain()
        other = await p.host.project(p.org_id, "Other")
        await p.host.scored(p.lead_ids[0], other, score=11)
        await p.host.connection.execute("DELETE FROM lead_scores WHERE project_id = $1", p.project_id)
        assert await states(p, other) == {str(p.lead_ids[0]): "in_clay"}


async def test_a_hash_of_another_version_is_not_compared(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        await p.push_and_drain()
        await p.host.connection.execute("UPDATE clay.clay_push_log SET payload_hash = sha256(payload_hash)")
        assert set((await states(p)).values()) == {"in_clay"}
        assert await changed_since(p) == 0


async def test_deliveries_to_an_earlier_table_are_not_compared(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        await p.push_and_drain()
        await p.host.connection.execute(f"UPDATE {p.host.name('leads')} SET company = 'New Inc.'")
        await p.call("PUT", "/api/clay/config", {"new_table": True})
        assert await changed_since(p, push_again=True) == 0
        assert set((await states(p)).values()) == {"never"}


@pytest.mark.parametrize("cause", ["rejected", "unknown"])
async def test_states_of_failed_and_in_flight_leads(database_url: str, cause: str) -> None:
    async with run_api_with_leads(database_url) as p:
        failed, pushed, never = p.lead_ids
        await p.queue([failed])
        await p.host.connection.execute(
            "UPDATE clay.clay_push_log SET status = 'failed', cause = $1, state = 'done', finished_at = now()", cause
        )
        await p.queue([pushed])
        shown = "unknown" if cause == "unknown" else "failed"
        assert await states(p) == {str(failed): shown, str(pushed): "pushing", str(never): "never"}
