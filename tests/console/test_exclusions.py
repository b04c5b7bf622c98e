"""The exclusions page and the exclusion on a lead's page, as a browser without JavaScript uses them."""

from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

PAGE = "/console/exclusions"
DOMAIN = {"domain": "acme.com", "kind": "exclusion", "reason": "Competitor"}

ADDRESS = {"email": "zoe@acme.com", "kind": "opt_out", "reason": "Objected by mail"}


async def test_a_domain_is_excluded_listed_and_removed(api: Api, owner: Visitor) -> None:
    assert "No exclusions" in (await owner.open(PAGE)).text
    page = await owner.submit_and_follow(PAGE, DOMAIN)
    assert "The domain is excluded." in page.text
    assert "Competitor" in page.text
    [made] = (await api.call("GET", "/api/clay/exclusions"))["exclusions"]
    assert (made["domain"], made["created_by"]) == ("acme.com", "user:owner")
    again = await owner.submit_and_follow(PAGE, DOMAIN)
    assert "The domain was excluded already. Nothing changed." in again.text
    page = await owner.submit_and_follow(f"{PAGE}/{made['id']}/remove")
    assert "No exclusions" in page.text
    assert (await api.call("GET", "/api/clay/exclusions"))["exclusions"] == []


async def test_a_lead_is_excluded_on_its_page_and_its_queued_push_is_skipped(api: Api, owner: Visitor) -> None:
    job_id = await api.queue()
    lead = f"/console/leads/{api.lead_ids[0]}"
    await owner.open(lead)
    wanted = {"lead_id": str(api.lead_ids[0]), "kind": "opt_out", "reason": "Objected by mail", "back": lead}
    page = await owner.submit_and_follow(PAGE, wanted)
    assert "1 queued push skipped." in page.text
    assert "Excluded by owner" in page.text
    assert f'href="{lead}" data-row' in (await owner.open(PAGE)).text
    await owner.open(lead)
    assert (await api.job(job_id))["skipped_count"] == 1
    [made] = (await api.call("GET", "/api/clay/exclusions?kind=opt_out"))["exclusions"]
    page = await owner.submit_and_follow(f"{PAGE}/{made['id']}/remove", {"back": lead})
    assert "The exclusion is removed." in page.text
    assert "Keep this lead from Clay" in page.text


async def test_an_address_is_excluded_and_never_shown(api: Api, owner: Visitor) -> None:
    await owner.open(PAGE)
    page = await owner.submit_and_follow(PAGE, ADDRESS)
    assert "The address is excluded." in page.text
    assert "One e-mail address" in page.text
    assert "zoe@acme.com" not in page.text
    again = await owner.submit_and_follow(PAGE, ADDRESS)
    assert "The address was excluded already. Nothing changed." in again.text
    assert len((await api.call("GET", "/api/clay/exclusions"))["exclusions"]) == 1


async def test_wrong_targets_are_refused_in_words(api: Api, owner: Visitor) -> None:
    await owner.open(PAGE)
    lead_id = str(api.lead_ids[0])
    for fields, text in (
        (DOMAIN | {"domain": "zoe@acme.com"}, "not an e-mail domain"),
        (DOMAIN | {"lead_id": lead_id}, "Enter one of these"),
        (DOMAIN | {"domain": ""}, "Enter one of these"),
        (ADDRESS | {"email": "zoe"}, "not one e-mail address"),
        (DOMAIN | {"reason": " "}, "Enter a reason"),
        (DOMAIN | {"kind": "other"}, "kind"),
    ):
        answer = await owner.submit(PAGE, fields)
        assert (answer.status_code, text in answer.text) == (422, True), fields
    assert (await api.call("GET", "/api/clay/exclusions"))["exclusions"] == []


async def test_members_add_but_do_not_remove_and_others_see_nothing(api: Api, owner: Visitor) -> None:
    await owner.open(PAGE)
    await owner.submit_and_follow(PAGE, DOMAIN)
    [made] = (await api.call("GET", "/api/clay/exclusions"))["exclusions"]
    remove = f"{PAGE}/{made['id']}/remove"
    async with visiting(api, "member") as member:
        page = await member.open(PAGE)
        assert "Remove the exclusion" not in page.text
        assert (await member.submit(remove)).status_code == 403
        added = await member.submit_and_follow(PAGE, DOMAIN | {"domain": "other.example"})
        assert "The domain is excluded." in added.text
    async with visiting(api, "other_owner") as other_owner:
        assert "acme.com" not in (await other_owner.open(PAGE)).text.replace('placeholder="acme.com"', "")
        assert (await other_owner.submit(remove)).status_code == 404
        unknown = {"lead_id": str(api.lead_ids[0]), "kind": "exclusion", "reason": "x"}
        assert (await other_owner.submit(PAGE, unknown)).status_code == 404
