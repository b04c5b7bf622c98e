"""An exclusion of an exact e-mail address: it matches current and future leads, and only a hash of it is stored."""

from typing import Any

import pytest

from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.routing.address import parse_address
from tests.harness.api import Api, run_api_with_leads

PATH = "/api/clay/exclusions"


async def exclude(api: Api, email: str, status: int = 201) -> Any:
    return await api.call("POST", PATH, {"email": email, "reason": "Objects", "kind": "opt_out"}, status=status)


async def matched(api: Api, email: str) -> bool:
    """Whether a lead with this address is excluded."""
    lead_id = await api.host.lead(api.project_id, email=email)
    async with api.database.transaction() as connection:
        tables = await api.installation.host_tables.tables(connection)
        return lead_id in await read_excluded(connection, tables, api.org_id, [lead_id])


@pytest.mark.parametrize(
    ("email", "is_excluded"),
    [
        ("jane@acme.com", True),
        (" Jane@ACME.com ", True),
        ("jane+clay@acme.com", False),
        ("john@acme.com", False),
        ("jane@mail.acme.com", False),
    ],
)
async def test_exactly_this_address_is_excluded(database_url: str, email: str, *, is_excluded: bool) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        assert not await matched(api, "jane@acme.com")
        await exclude(api, "Jane@acme.com")
        assert await matched(api, email) is is_excluded


async def test_a_domain_with_other_letters_is_found_in_both_forms(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        await exclude(api, "jane@bücher.example")
        assert await matched(api, "jane@bücher.example")
        assert await matched(api, "jane@xn--bcher-kva.example")


async def test_it_skips_queued_leads_and_is_the_same_exclusion_the_second_time(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        name = api.host.name("leads")
        await api.host.connection.execute(f"UPDATE {name} SET email = 'jane@acme.com' WHERE id = $1", api.lead_ids[0])
        await api.push()
        added = await exclude(api, "jane@acme.com")
        assert added["stopped_count"] == 1
        again = await exclude(api, "JANE@acme.com", status=200)
        assert again["exclusion"] == added["exclusion"]
        shown = added["exclusion"]
        assert (shown["lead_id"], shown["domain"], shown["is_address"], shown["erased"]) == (None, None, True, False)
        by_lead = await api.call("POST", PATH, {"lead_id": str(api.lead_ids[0]), "reason": "r"}, status=201)
        assert by_lead["exclusion"]["id"] != shown["id"]
        await exclude(api, "other@acme.com")
        assert len((await api.call("GET", PATH))["exclusions"]) == 3


async def test_another_organization_is_not_affected(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        await exclude(api, "jane@acme.com")
        lead_id = await api.host.lead(api.project_id, email="jane@acme.com")
        async with api.database.transaction() as connection:
            tables = await api.installation.host_tables.tables(connection)
            assert await read_excluded(connection, tables, api.other_org_id, [lead_id]) == frozenset()


async def test_the_address_is_not_stored(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        await exclude(api, "jane.roe@acme.com")
        [row] = await api.installation.fetch("SELECT to_jsonb(each) AS kept FROM clay.exclusions AS each")
        assert "jane" not in str(row.kept)
        assert "acme" not in str(row.kept)
        [entry] = await api.installation.fetch("SELECT details FROM clay.audit_log WHERE action = 'exclusion.added'")
        assert entry.details["of"] == "address"
        assert "acme" not in str(entry.details)


@pytest.mark.parametrize(
    "text", ["initech.com", "@initech.com", "Bob <bob@initech.com>", "a@initech.com, c@initech.com", "bob@initech", ""]
)
async def test_a_text_that_is_not_one_address_is_refused_and_not_repeated(app_client: Api, text: str) -> None:
    assert parse_address(text) is None
    answer = await app_client.send("POST", PATH, "owner", json={"email": text, "reason": "r"})
    assert answer.status_code == 422
    assert "not one e-mail address" in answer.text
    assert not text or text not in answer.text


async def test_exactly_one_target_is_named(app_client: Api) -> None:
    body = {"email": "jane@acme.com", "domain": "acme.com", "reason": "r"}
    answer = await app_client.send("POST", PATH, "owner", json=body)
    assert (answer.status_code, "exactly one" in answer.text) == (422, True)
