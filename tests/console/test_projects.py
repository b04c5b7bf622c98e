"""Auto-export rules in the console: saved as through the API, and previewed with the number that each condition excludes."""

from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting


async def test_a_saved_rule_is_previewed_with_the_leads_that_it_excludes(api: Api, owner: Visitor) -> None:
    path = f"/console/projects/{api.project_id}"
    assert path in (await owner.open("/console/projects")).text
    await owner.open(path)
    page = await owner.submit_and_follow(path, {"enabled": "1", "min_score": "89.75"})
    assert "Auto-export is on" in page.text
    assert "of all scans so far" not in page.text, "the page itself counts no leads"
    assert f'href="{path}?count=true"' in page.text
    page = await owner.open(f"{path}?count=true")
    assert "Of 5 leads of all scans so far, 3 pass the saved rule" in page.text
    assert "2 leads</dt>" in page.text
    stored = await api.call("GET", f"/api/clay/projects/{api.project_id}/auto-export")
    assert (stored["enabled"], stored["min_score"]) == (True, 89.75)


async def test_a_wrong_score_changes_nothing(api: Api, owner: Visitor) -> None:
    path = f"/console/projects/{api.project_id}"
    await owner.open(path)
    for score in ("high", "101", "nan"):
        page = await owner.submit_and_follow(path, {"enabled": "1", "min_score": score})
        assert "must be a number from 0 to 100" in page.text
    assert not (await api.call("GET", f"/api/clay/projects/{api.project_id}/auto-export"))["enabled"]


async def test_members_see_the_rule_and_other_organizations_do_not(api: Api) -> None:
    path = f"/console/projects/{api.project_id}"
    async with visiting(api, "member") as member:
        assert "An owner or admin" in (await member.open(path)).text
        assert (await member.submit(path, {"enabled": "1"})).status_code == 403
    async with visiting(api, "other_owner") as other_owner:
        assert (await other_owner.open(path)).status_code == 404
