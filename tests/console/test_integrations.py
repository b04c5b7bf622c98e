"""Integrations without JavaScript: saving, testing, removing, and what a member may not do."""

from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

CLAY = "/console/integrations/clay"


async def test_saving_changes_only_what_the_form_names(api: Api, owner: Visitor) -> None:
    before = await api.call("GET", "/api/clay/config")
    await owner.open(CLAY)
    page = await owner.submit_and_follow(f"{CLAY}/config", {"table_name": "Renamed", "rate_limit_ms": "250"})
    assert "The settings are saved." in page.text
    after = await api.call("GET", "/api/clay/config")
    assert (after["table_name"], after["rate_limit_ms"]) == ("Renamed", 250)
    assert (after["version"], after["webhook_url"]) == (before["version"], before["webhook_url"])


async def test_wrong_values_are_named_by_their_label_and_nothing_is_saved(api: Api, owner: Visitor) -> None:
    await owner.open(CLAY)
    for fields, text in (
        ({"rate_limit_ms": "often"}, "Delay between two leads: must be a whole number."),
        ({"webhook_token": "x-clay-webhook-auth: a"}, "Auth token: must be the token without the header name"),
        ({"webhook_url": "not a url"}, "webhook"),
    ):
        page = await owner.submit_and_follow(f"{CLAY}/config", {"table_name": "Changed", **fields})
        assert text in page.text
    assert (await api.call("GET", "/api/clay/config"))["table_name"] == "Leads"


async def test_removal_reports_how_many_leads_will_not_be_sent(api: Api, owner: Visitor) -> None:
    await api.queue()
    await owner.open(CLAY)
    page = await owner.submit_and_follow(f"{CLAY}/remove")
    assert "5 queued leads will not be sent" in page.text
    assert not (await api.call("GET", "/api/clay/config"))["configured"]


async def test_a_new_table_is_declared_for_the_version_that_was_shown(api: Api, owner: Visitor) -> None:
    await api.call("PUT", "/api/clay/config", {"webhook_url": f"{api.receiver.url}/new"})
    page = await owner.open(CLAY)
    assert "It is a new table" in page.text
    await owner.submit_and_follow(f"{CLAY}/new-table", {"version": "2"})
    assert (await api.call("GET", "/api/clay/config"))["table_epoch"] == 2


async def test_members_read_everything_and_change_nothing(api: Api) -> None:
    async with visiting(api, "member") as member:
        for path in ("/console/", "/console/integrations", CLAY, f"{CLAY}/set-up"):
            page = await member.open(path)
            assert page.status_code == 200, path
        page = await member.open(CLAY)
        assert "An owner or admin of your organization can change" in page.text
        for path in ("config", "test", "remove", "new-table"):
            answer = await member.submit(f"{CLAY}/{path}", {"table_name": "x", "version": "1"})
            assert answer.status_code == 403, path
    assert (await api.call("GET", "/api/clay/config"))["table_name"] == "Leads"
