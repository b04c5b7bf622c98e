"""Exclusions keep a lead or an e-mail domain from Clay: at accept, in previews and rules, while queued, and again at send."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clay_push_service.automation.run import run_rule
from clay_push_service.callers.actor import Actor
from clay_push_service.callers.caller import Scope
from clay_push_service.deliveries.invariants import verify
from clay_push_service.deliveries.suppression import read_excluded
from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import Receiver, status

PATH = "/api/clay/exclusions"


async def exclude(api: Api, who: str = "owner", **body: object) -> Any:
    return await api.call("POST", PATH, {"reason": "Competitor", **body}, who=who)


async def address(api: Api, lead_id: UUID, email: str) -> None:
    await api.host.connection.execute(f"UPDATE {api.host.name('leads')} SET email = $2 WHERE id = $1", lead_id, email)


async def causes(api: Api, job_id: str) -> dict[str, str | None]:
    page = await api.call("GET", f"/api/clay/jobs/{job_id}/leads")
    return {each["lead"]["id"]: each["cause"] for each in page["leads"]}


async def states(api: Api) -> dict[str, tuple[str, bool]]:
    page = await api.call("GET", f"/api/clay/leads?project_id={api.project_id}")
    return {each["id"]: (each["clay"]["state"], each["clay"]["excluded"]) for each in page["leads"]}


async def test_an_excluded_lead_is_skipped_even_if_it_is_pushed_again_explicitly(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        first, second, third = api.lead_ids
        await api.push_and_drain([first])
        await exclude(api, lead_id=str(first))
        await exclude(api, lead_id=str(second), kind="opt_out")
        job = await api.push_and_drain(push_again=True)
        assert (job["success_count"], job["skipped_count"]) == (1, 2)
        assert await causes(api, job["id"]) == {str(first): "excluded", str(second): "excluded", str(third): None}
        assert [each["message"] for each in job["causes"]] == ["Kept from Clay by an exclusion of your organization."]
        assert api.receiver.leads == {str(first): 1, str(third): 1}
        assert await states(api) == {
            str(first): ("in_clay", True), str(second): ("excluded", True), str(third): ("in_clay", False),
        }  # fmt: skip


async def test_a_push_of_excluded_leads_only_gives_the_reason(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await exclude(api, lead_id=str(api.lead_ids[0]))
        answer = await api.push(push_again=True)
        assert (answer["lead_count"], answer["skipped_count"]) == (1, 1)
        assert "Kept from Clay by an exclusion" in answer["message"]


@pytest.mark.parametrize(
    ("email", "excluded"),
    [
        ("jane@acme.com", True),
        ("Jane@ACME.com ", True),
        ("jane@mail.eu.acme.com", True),
        ("jane@notacme.com", False),
        ("jane@acme.com.example.org", False),
        ("jane@acme.co", False),
        ("acme.com@example.org", False),
        ("", False),
    ],
)
async def test_a_domain_excludes_its_addresses_and_those_of_subdomains(
    database_url: str, email: str, excluded: bool
) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await address(api, api.lead_ids[0], email)
        await exclude(api, domain="@Acme.com")
        job = await api.push_and_drain()
        assert job["skipped_count"] == int(excluded)


async def test_a_domain_matches_in_both_of_its_forms(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await address(api, api.lead_ids[0], "jane@bücher.example")
        await address(api, api.lead_ids[1], "jane@xn--bcher-kva.example")
        added = await exclude(api, domain="Bücher.example")
        assert added["exclusion"]["domain"] == "bücher.example"
        assert (await api.push())["skipped_count"] == 2


async def test_an_address_that_clay_found_counts_as_well(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        path = f"/api/clay/leads/{api.lead_ids[0]}/enrichment/email"
        await api.call("PUT", path, {"value": "jane@acme.com"})
        await exclude(api, domain="acme.com")
        assert (await api.push())["skipped_count"] == 1


async def test_the_person_is_excluded_under_another_lead_id(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        first, second = api.lead_ids
        await address(api, first, "Jane@example.com")
        await exclude(api, lead_id=str(first), kind="opt_out")
        await address(api, second, "jane@example.com")
        assert (await api.push())["skipped_count"] == 2


async def test_the_preview_and_an_auto_export_rule_count_excluded_leads(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await exclude(api, lead_id=str(api.lead_ids[0]))
        project = str(api.project_id)
        seen = await api.call("POST", "/api/clay/preview", {"project_id": project, "push_again": True})
        assert (seen["to_send"], [(each["cause"], each["count"]) for each in seen["skipped"]]) == (2, [("excluded", 1)])
        rule = f"/api/clay/projects/{project}/auto-export"
        await api.call("PUT", rule, {"enabled": True})
        previewed = await api.call("GET", f"{rule}/preview")
        assert (previewed["to_send"], [each["clause"] for each in previewed["left_out"]]) == (2, ["excluded"])
        ran = await api.call("POST", f"{rule}/run", {})
        assert ran["lead_count"] == 2
        await api.drain()
        assert str(api.lead_ids[0]) not in api.receiver.leads


async def test_queued_deliveries_are_skipped_when_their_lead_is_excluded(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        job_id = await api.queue()
        added = await exclude(api, lead_id=str(api.lead_ids[1]))
        assert added["stopped_count"] == 1
        await api.drain()
        job = await api.job(job_id)
        assert (job["status"], job["success_count"], job["skipped_count"]) == ("completed", 2, 1)
        assert (await causes(api, job_id))[str(api.lead_ids[1])] == "excluded"


async def test_the_exclusions_are_checked_again_at_send(database_url: str) -> None:
    """The address changes while the delivery is queued: no exclusion matched it when the push was accepted."""
    async with run_api_with_leads(database_url, leads=2) as api:
        await exclude(api, domain="acme.com")
        job_id = await api.queue()
        await address(api, api.lead_ids[0], "jane@acme.com")
        await api.drain()
        job = await api.job(job_id)
        assert (job["success_count"], job["skipped_count"], job["failed_count"]) == (1, 1, 0)
        assert await causes(api, job_id) == {str(api.lead_ids[0]): "excluded", str(api.lead_ids[1]): None}
        assert str(api.lead_ids[0]) not in api.receiver.leads


async def test_a_lead_that_waits_for_another_attempt_is_not_sent_again(database_url: str) -> None:
    busy = Receiver(answer=lambda _number, _body: status(503))
    async with run_api_with_leads(database_url, leads=1, receiver=busy) as api:
        job_id = await api.queue()
        draining = asyncio.create_task(api.drain())
        await busy.until(1)
        await exclude(api, lead_id=str(api.lead_ids[0]))
        await draining
        [delivery] = (await api.call("GET", f"/api/clay/jobs/{job_id}/leads"))["leads"]
        assert (delivery["status"], delivery["cause"]) == ("skipped", "excluded")
        assert "may already be in Clay" in delivery["error_message"]
        assert len(busy.posts) == delivery["uncertain_attempts"]


async def test_a_removed_exclusion_lets_the_lead_be_pushed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        added = await exclude(api, lead_id=str(api.lead_ids[0]))
        await api.push_and_drain()
        await api.send("DELETE", f"{PATH}/{added['exclusion']['id']}", "admin")
        assert (await states(api))[str(api.lead_ids[0])] == ("never", False)
        await api.call("PUT", f"/api/clay/projects/{api.project_id}/auto-export", {"enabled": True})
        async with api.database.transaction() as connection:
            tables = await api.installation.host_tables.tables(connection)
            actor = Actor(api.org_id, "user:test")
            ran = await run_rule(connection, tables, actor, api.project_id, None, api.settings)
        assert ran.lead_count == 1


async def test_an_exclusion_belongs_to_one_organization(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        project = await api.host.project(api.other_org_id)
        await api.host.scored(api.lead_ids[0], project)
        await exclude(api, "other_owner", lead_id=str(api.lead_ids[0]))
        assert (await api.push())["skipped_count"] == 0


async def test_members_add_and_owners_and_admins_remove(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        added = (await exclude(api, "member", domain="acme.com"))["exclusion"]
        assert (added["kind"], added["reason"], added["created_by"]) == ("exclusion", "Competitor", "user:member")
        path = f"{PATH}/{added['id']}"
        assert (await api.send("DELETE", path, "member")).status_code == 403
        reader = await api.key(Scope.READ)
        assert (await api.send("POST", PATH, reader, json={"domain": "x.org", "reason": "r"})).status_code == 403
        assert (await api.send("DELETE", path, "admin")).status_code == 204
        assert (await api.send("DELETE", path, "admin")).status_code == 404
        assert (await api.call("GET", PATH))["exclusions"] == []
        report = await api.host.connection.fetch(
            "SELECT action, details::text AS details FROM clay.audit_log WHERE action LIKE 'exclusion.%' ORDER BY id"
        )
        assert [each["action"] for each in report] == ["exclusion.added", "exclusion.removed"]
        assert not any("acme" in each["details"] or "Competitor" in each["details"] for each in report)


async def test_excluding_again_changes_nothing(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        first = await api.send("POST", PATH, "owner", json={"domain": "acme.com", "reason": "Competitor"})
        again = await api.send("POST", PATH, "owner", json={"domain": "ACME.com", "reason": "Other"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["exclusion"] == first.json()["exclusion"]


async def test_the_list_has_pages_and_kinds(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        for name in "abc":
            await exclude(api, domain=f"{name}.example.com", kind="opt_out" if name == "b" else "exclusion")
        page = await api.call("GET", f"{PATH}?limit=2")
        last = await api.call("GET", f"{PATH}?limit=2&cursor={page['next_cursor']}")
        domains = [each["domain"] for each in (*page["exclusions"], *last["exclusions"])]
        assert (domains, last["next_cursor"]) == (["c.example.com", "b.example.com", "a.example.com"], None)
        [opt_out] = (await api.call("GET", f"{PATH}?kind=opt_out"))["exclusions"]
        assert opt_out["domain"] == "b.example.com"


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "r"},
        {"domain": "acme.com"},
        {"domain": "acme.com", "reason": " "},
        {"domain": "jane@acme.com", "reason": "r"},
        {"domain": "com", "reason": "r"},
        {"domain": "acme..com", "reason": "r"},
        {"domain": "acme.com", "lead_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "reason": "r"},
        {"domain": "acme.com", "reason": "r", "kind": "other"},
        {"domain": "acme.com", "reason": "a\0b"},
    ],
)
async def test_an_invalid_exclusion_is_refused(database_url: str, body: dict[str, str]) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        refused = await api.call("POST", PATH, body, status=422)
        assert refused["code"] == "invalid_request"


async def test_the_check_for_enrichment_names_the_excluded_leads(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await exclude(api, lead_id=str(api.lead_ids[0]))
        await address(api, api.lead_ids[1], "jane@acme.com")
        await exclude(api, domain="acme.com")
        async with api.database.transaction() as connection:
            tables = await api.installation.host_tables.tables(connection)
            found = await read_excluded(connection, tables, api.org_id, api.lead_ids)
            assert found == frozenset(api.lead_ids[:2])
            assert await read_excluded(connection, tables, api.other_org_id, api.lead_ids) == frozenset()
            assert await read_excluded(connection, tables, api.org_id, []) == frozenset()


async def test_verify_accepts_exclusions(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        await api.queue()
        await exclude(api, lead_id=str(api.lead_ids[0]))
        async with api.database.transaction() as connection:
            assert await verify(connection, timedelta(seconds=50)) == []
