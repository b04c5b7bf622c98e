"""A preview shows the counts and the refusals of the push."""

from typing import Any

import pytest

from tests.harness.api import Api, run_api_with_leads


async def preview(api: Api, **body: object) -> Any:
    return await api.call("POST", "/api/clay/preview", {"project_id": str(api.project_id)} | body)


async def test_a_preview_reports_a_closed_destination_with_the_message_of_a_push(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        open_one = await preview(api)
        assert (open_one["blocked"], open_one["message"], open_one["waiting"]) == (None, None, None)
        await api.host.connection.execute(
            "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'unauthorized'"
        )
        body = {"lead_ids": [str(each) for each in api.lead_ids]}
        refused = await api.call("POST", "/api/clay/push", body, status=409)
        for seen in (await preview(api), await api.call("POST", "/api/clay/push?dry_run=true", body)):
            assert (seen["blocked"], seen["message"]) == (refused["code"], refused["detail"])
            assert seen["to_send"] == 3


async def test_a_preview_reports_an_outage_and_is_not_blocked(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        await api.host.connection.execute(
            "UPDATE clay.destination_versions"
            " SET state = 'waiting', state_reason = 'clay_unavailable', probe_at = now() + interval '20 seconds'"
        )
        seen = await preview(api)
        assert (seen["blocked"], seen["waiting"]["reason"]) == (None, "clay_unavailable")
        assert seen["waiting"]["until"] is not None


async def test_a_preview_counts_time_and_quota_of_leads_that_are_queued_before(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=30, rate_limit_ms=200) as api:
        alone = await preview(api)
        assert (alone["queued_before"], alone["seconds"], alone["quota_left_after"]) == (0, 6.0, 50_000 - 30)
        await api.queue(api.lead_ids[:10])
        seen = await preview(api)
        assert (seen["to_send"], seen["queued_before"]) == (20, 10)
        assert (seen["seconds"], seen["quota_left_after"]) == (6.0, 50_000 - 30)
        assert [(each["cause"], each["count"]) for each in seen["skipped"]] == [("already_queued", 10)]


async def test_leads_queued_for_another_webhook_take_time_and_not_the_quota_of_this_one(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3, rate_limit_ms=200) as api:
        await api.queue(api.lead_ids[:2])
        await api.call("PUT", "/api/clay/config", {"webhook_url": f"{api.receiver.url}-of-another-table"})
        seen = await preview(api)
        assert (seen["queued_before"], seen["quota_left_after"]) == (2, 50_000 - 1)


@pytest.mark.parametrize(("limit", "report"), [(2, "quota is 1 lead too small"), (3, "After this push 100 %"), (9, "")])
async def test_a_preview_warns_of_an_insufficient_quota(database_url: str, limit: int, report: str) -> None:
    async with run_api_with_leads(database_url) as api:
        await api.call("PUT", "/api/clay/config", {"quota_limit": limit})
        seen = await preview(api)
        assert (report in seen["quota_warning"]) if report else seen["quota_warning"] is None
        assert seen["quota_left_after"] == max(limit - 3, 0)


async def test_a_preview_counts_too_large_leads_and_leads_without_an_address(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=4) as api:
        await api.host.connection.execute(
            f"UPDATE {api.host.name('leads')} SET bio = repeat('x', 100000) WHERE id = $1", api.lead_ids[0]
        )
        await api.host.connection.execute(
            f"UPDATE {api.host.name('leads')} SET email = 'a@example.com' WHERE id = $1", api.lead_ids[1]
        )
        await api.host.connection.execute(
            f"UPDATE {api.host.name('leads')} SET email = '' WHERE id = $1", api.lead_ids[2]
        )
        seen = await preview(api)
        assert (seen["too_large"], seen["without_email"], seen["estimated"]) == (1, 3, False)


async def test_a_preview_of_more_than_two_thousand_leads_estimates_the_counts(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1, rate_limit_ms=200) as api:
        big = await api.host.project(api.org_id)
        await api.host.bulk_leads(big, 2500)
        await api.host.connection.execute(f"UPDATE {api.host.name('leads')} SET email = NULL")
        seen = await preview(api, project_id=str(big))
        assert (seen["lead_count"], seen["to_send"], seen["estimated"]) == (2500, 2500, True)
        assert (seen["without_email"], seen["seconds"]) == (2500, 500.0)
