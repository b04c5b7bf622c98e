"""The preview of a mapping: real leads, sizes and warnings, and nothing stored."""

from typing import Any

from tests.harness.api import Api, run_api_with_leads

PREVIEW = "/api/clay/mappings/preview"


async def preview(api: Api, *columns: dict[str, Any], status: int = 200, **body: Any) -> Any:
    return await api.call("POST", PREVIEW, {"columns": list(columns), **body}, status=status)


async def test_up_to_five_real_leads_of_a_project_by_score(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=7) as api:
        seen = await preview(
            api, {"key": "login", "field": "github_username"}, {"key": "phone", "field": "enriched.phone"},
            project_id=str(api.project_id),
        )  # fmt: skip
        assert seen["keys"] == ["_meta", "login", "phone"]
        assert seen["always_empty"] == ["phone"]
        assert len(seen["leads"]) == 5
        assert {each["lead_id"] for each in seen["leads"]} <= {str(each) for each in api.lead_ids}
        for each in seen["leads"]:
            assert list(each["payload"]) == ["_meta", "login", "phone"]
            assert each["payload"]["login"] == each["username"]
            assert each["payload"]["_meta"]["nexusleads_contributor_id"] == each["lead_id"]
            assert 0 < each["size"] < seen["size_limit"]
        before = await api.host.connection.fetch("SELECT count(*) FROM clay.audit_log")
        await preview(api, {"key": "a", "field": "bio"}, project_id=str(api.project_id))
        assert await api.host.connection.fetch("SELECT count(*) FROM clay.audit_log") == before


async def test_the_given_leads_in_their_order(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        ids = [str(each) for each in reversed(api.lead_ids)]
        seen = await preview(api, {"key": "a", "field": "email"}, lead_ids=ids)
        assert [each["lead_id"] for each in seen["leads"]] == ids
        too_many = await preview(api, {"key": "a", "field": "email"}, lead_ids=ids * 2, status=422)
        assert "at most 5" in too_many["detail"]


async def test_warnings_name_the_column(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.host.connection.execute(
            f"UPDATE {api.host.name('leads')} SET bio = repeat('x', 9000), company = 'no address'"
        )
        seen = await preview(
            api, {"key": "long", "field": "bio"}, {"key": "short", "field": "bio", "steps": ["truncate(100)"]},
            {"key": "number", "field": "company", "type": "number"}, {"key": "site", "field": "company", "type": "url"},
            {"key": "mail", "field": "company", "type": "email"}, lead_ids=[str(api.lead_ids[0])],
        )  # fmt: skip
        [lead] = seen["leads"]
        said = {each["key"]: each["message"] for each in lead["warnings"]}
        assert set(said) == {"long", "number", "site", "mail"}
        assert "9,000 bytes" in said["long"]
        assert "is no number" in said["number"]


async def test_a_lead_that_is_too_large_is_a_problem_and_not_an_error(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.host.connection.execute(f"UPDATE {api.host.name('leads')} SET bio = repeat('x', 60000)")
        seen = await preview(api, {"key": "a", "template": "{bio}{bio}"}, lead_ids=[str(api.lead_ids[0])])
        assert seen["leads"][0]["payload"] is None
        assert "100,000" in seen["leads"][0]["problem"]


async def test_without_leads_the_sample_lead_is_rendered(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        seen = await api.call("POST", PREVIEW, {})
        [lead] = seen["leads"]
        assert (lead["lead_id"], lead["payload"]["github_username"]) == (None, "nexusleads-test")
        assert lead["warnings"] == []
        both = {"columns": [{"key": "a", "field": "bio"}], "mapping_id": str(api.project_id)}
        assert (await api.call("POST", PREVIEW, both, status=422))["code"] == "invalid_request"


async def test_an_erased_lead_is_not_shown(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        erased, kept = (str(each) for each in api.lead_ids)
        await api.call("POST", "/api/clay/erasures", {"lead_ids": [erased]})
        seen = await preview(api, {"key": "a", "field": "email"}, project_id=str(api.project_id))
        assert [each["lead_id"] for each in seen["leads"]] == [kept]
        refused = await preview(api, {"key": "a", "field": "email"}, lead_ids=[erased], status=404)
        assert refused["code"] == "lead_not_found"
