"""An exclusion outlives the erasure of its lead, and keeps neither the lead's id nor an address nor a name."""

from uuid import UUID

from tests.harness.api import Api, run_api_with_leads
from tests.support.dump import dump

PATH = "/api/clay/exclusions"


async def person(api: Api, lead_id: UUID, email: str, full_name: str = "Jane Roe") -> None:
    await api.host.connection.execute(
        f"UPDATE {api.host.name('leads')} SET email = $2, full_name = $3 WHERE id = $1", lead_id, email, full_name
    )


async def erase(api: Api, lead_id: UUID) -> None:
    await api.call("POST", "/api/clay/erasures", {"lead_ids": [str(lead_id)], "former_values": []})


async def test_the_person_stays_excluded_under_another_lead_id_after_an_erasure(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        first, second, third = api.lead_ids
        await person(api, first, "jane@example.com")
        enriched = f"/api/clay/leads/{first}/enrichment/email"
        body = {"lead_id": str(first), "kind": "opt_out", "reason": "Jane Roe wrote to us"}
        await api.call("POST", PATH, body)
        await api.call("PUT", enriched, {"value": "jane.roe@work.example.com"})  # after the exclusion
        await api.push()
        await erase(api, first)
        left = await dump(api.installation.database)
        for value in ("jane@example.com", "jane.roe@work.example.com", "Jane", "Roe", str(first)):
            assert value.lower() not in left.lower(), value
        [kept] = (await api.call("GET", PATH))["exclusions"]
        assert (kept["kind"], kept["lead_id"], kept["reason"], kept["erased"]) == ("opt_out", None, None, True)
        await person(api, second, "JANE@example.com")
        await person(api, third, "jane.roe@work.example.com")
        answer = await api.push([second, third], push_again=True)
        assert answer["skipped_count"] == 2
        await api.drain()
        assert not {str(second), str(third)} & set(api.receiver.leads)


async def test_the_exclusion_of_an_erased_lead_can_be_removed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        first, second = api.lead_ids
        await person(api, first, "jane@example.com")
        added = await api.call("POST", PATH, {"lead_id": str(first), "reason": "Opted out"})
        await erase(api, first)
        assert (await api.send("DELETE", f"{PATH}/{added['exclusion']['id']}", "owner")).status_code == 204
        await person(api, second, "jane@example.com")
        assert (await api.push([second]))["skipped_count"] == 0


async def test_an_erasure_empties_reasons_that_name_the_person_and_no_others(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await person(api, api.lead_ids[0], "jane@example.com")
        await api.call("POST", PATH, {"domain": "named.example.com", "reason": "Asked for by Roe"})
        await api.call("POST", PATH, {"domain": "other.example.com", "reason": "Competitor"})
        await erase(api, api.lead_ids[0])
        found = {each["domain"]: each["reason"] for each in (await api.call("GET", PATH))["exclusions"]}
        assert found == {"named.example.com": None, "other.example.com": "Competitor"}


async def test_another_organizations_exclusion_of_the_same_person_is_not_changed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        [lead_id] = api.lead_ids
        await api.host.scored(lead_id, await api.host.project(api.other_org_id))
        await api.call("POST", PATH, {"lead_id": str(lead_id), "reason": "Ours"}, who="other_owner")
        await erase(api, lead_id)
        [kept] = (await api.call("GET", PATH, who="other_owner"))["exclusions"]
        assert (kept["lead_id"], kept["reason"], kept["erased"]) == (str(lead_id), "Ours", False)


async def test_an_erased_lead_cannot_be_excluded_by_its_id(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await erase(api, api.lead_ids[0])
        refused = await api.call("POST", PATH, {"lead_id": str(api.lead_ids[0]), "reason": "r"}, status=409)
        assert refused["code"] == "lead_erased"
        assert str(api.lead_ids[0]) not in await dump(api.installation.database)


async def test_a_test_item_of_enrichment_refuses_an_excluded_lead(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.call("POST", PATH, {"lead_id": str(api.lead_ids[0]), "reason": "r"})
        await api.call("PUT", "/api/clay/enrichment/config", {"api_key": "clay_key_of_a_test"})
        body = {"run_item": True, "kind": "email", "lead_id": str(api.lead_ids[0])}
        refused = await api.call("POST", "/api/clay/enrichment/test", body, status=409)
        assert refused["code"] == "lead_excluded"
