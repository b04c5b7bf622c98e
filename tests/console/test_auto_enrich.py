"""A project's auto-enrich rule with its preview, as a browser without JavaScript uses it."""

from tests.harness.api import Api
from tests.harness.visitor import Visitor, visiting

RULE = {
    "enabled": "1", "kind": "email", "way": "routine", "basis": "consent", "min_score": "89.75", "classifications": "",
    "from_hour": "22", "to_hour": "6", "stale_months": "6",
}  # fmt: skip


async def test_a_rule_needs_a_budget_and_is_saved_and_previewed(api: Api, owner: Visitor) -> None:
    url = f"/console/projects/{api.project_id}/auto-enrich"
    assert "Auto-enrich is off" in (await owner.open(url)).text
    page = await owner.submit_and_follow(url, RULE)
    assert "A rule needs a daily budget" in page.text
    budget = {"credits_per_day": 100, "actions_per_day": None}
    await api.call("PUT", "/api/clay/enrichment/config", {"api_key": "clay_key_of_owner", "budget": budget})
    page = await owner.submit_and_follow(url, RULE)
    assert "The rule is saved. Auto-enrich is on" in page.text
    page = await owner.open(f"{url}?count=true")
    assert "of all scans so far, 3 pass the saved rule" in page.text
    saved = await api.call("GET", f"/api/clay/projects/{api.project_id}/auto-enrich")
    assert (saved["enabled"], saved["basis"], saved["min_score"], saved["from_hour"]) == (True, "consent", 89.75, 22)
    wrong = await owner.submit_and_follow(url, RULE | {"min_score": "many"})
    assert "Minimum score:" in wrong.text
    one_hour = await owner.submit_and_follow(url, RULE | {"to_hour": ""})
    assert "send two different hours" in one_hour.text
    async with visiting(api, "member") as member:
        assert "An owner or admin of your organization can change the rule." in (await member.open(url)).text
        assert (await member.submit(url, RULE)).status_code == 403
