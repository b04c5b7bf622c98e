"""A suspect destination in the console: the notice, the list of the gap, and the push of exactly these leads again."""

from tests.harness.api import Api, run_api_with_leads
from tests.harness.visitor import Visitor, visiting
from tests.support.stopped_results import CONFIRMED, LEADS, UNCONFIRMED, check, results_stop

PAGE = "/console/missing-results"
STOPPED = "Results from Clay have stopped."


async def test_without_any_result_no_notice_is_shown_and_nothing_is_pushed(api: Api, owner: Visitor) -> None:
    await api.push_and_drain()
    assert "This table sent no result yet" in (await owner.open(PAGE)).text
    for path in ("/console/", "/console/integrations/clay"):
        assert STOPPED not in (await owner.open(path)).text
    refused = await owner.submit(f"{PAGE}/push-again")
    assert refused.status_code == 409


async def test_a_suspect_destination_is_named_and_its_gap_is_pushed_again_once(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api, visiting(api) as owner:
        await results_stop(api)
        assert await check(api)
        for path in ("/console/", "/console/integrations/clay"):
            page = await owner.open(path)
            assert STOPPED in page.text
            assert f'href="{PAGE}"' in page.text
        assert "Results missing" in (await owner.open("/console/integrations")).text
        page = await owner.open(PAGE)
        assert f"{UNCONFIRMED} leads without a result" in page.text
        assert page.text.count("<tr>") == UNCONFIRMED + 1
        preview = await owner.open(f"{PAGE}/push-again")
        assert f"Push {UNCONFIRMED} leads again?" in preview.text
        for _ in range(2):
            pushed = await owner.submit_and_follow(f"{PAGE}/push-again", {"key": "same"})
            assert f"Pushing {UNCONFIRMED} leads to Clay..." in pushed.text
        await api.drain()
        assert api.receiver.leads == {str(each): 1 if each in api.lead_ids[:CONFIRMED] else 2 for each in api.lead_ids}
        assert STOPPED not in (await owner.open("/console/")).text


async def test_another_organization_sees_no_lead_of_the_gap(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=LEADS) as api:
        await results_stop(api)
        async with visiting(api, "other_owner") as other_owner:
            page = await other_owner.open(PAGE)
            assert page.status_code == 200
            assert str(api.lead_ids[-1]) not in page.text
            assert (await other_owner.submit(f"{PAGE}/push-again")).status_code == 409
