"""Sync modes over HTTP: what happens to leads that a Clay table has and that have changed since."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import pytest

from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import OK, Behaviour, status


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    """Three leads in a table, of which one has changed since."""
    async with run_api_with_leads(database_url) as made:
        await made.push_and_drain()
        await change(made, made.lead_ids[0])
        made.receiver.posts.clear()
        yield made


async def change(api: Api, lead_id: UUID, company: str = "New Inc.") -> None:
    await api.host.connection.execute(
        f"UPDATE {api.host.name('leads')} SET company = $2 WHERE id = $1", lead_id, company
    )


async def set_dedupe(api: Api, dedupe: str) -> None:
    """Save how the default table handles duplicates."""
    [default] = (await api.call("GET", "/api/clay/destinations"))["destinations"]
    column = "GitHub user name" if dedupe.startswith("keeps") else None
    body = {"dedupe": dedupe} | ({} if column is None else {"dedupe_column": column})
    await api.call("PUT", f"/api/clay/destinations/{default['id']}", body)


async def preview(api: Api, **more: Any) -> Any:
    return await api.call("POST", "/api/clay/preview", {"project_id": str(api.project_id), **more})


def read_metas(api: Api) -> list[Mapping[str, Any]]:
    return [json.loads(post.body)["_meta"] for post in api.receiver.posts]


@pytest.mark.parametrize(("dedupe", "word"), [("keeps_oldest", "keeps the oldest row"), ("unknown", "not known")])
async def test_table_that_would_drop_the_rows_is_refused_with_the_reason(api: Api, dedupe: str, word: str) -> None:
    await set_dedupe(api, dedupe)
    selection = {"lead_ids": [str(each) for each in api.lead_ids], "sync_mode": "new_and_changed"}
    problem = await api.call("POST", "/api/clay/push", selection, status=409)
    assert (problem["code"], problem["errors"][0]["field"]) == ("sync_mode_refused", "sync_mode")
    assert word in problem["detail"]
    seen = await preview(api, sync_mode="new_and_changed")
    assert (seen["blocked"], seen["message"]) == ("sync_mode_refused", problem["detail"])
    assert len((await api.call("GET", "/api/clay/jobs"))["jobs"]) == 1
    assert (await preview(api, sync_mode="new"))["blocked"] is None


async def test_table_without_dedupe_gets_a_second_row_that_names_the_first_and_the_preview_shows_the_price(
    api: Api,
) -> None:
    await set_dedupe(api, "none")
    [first] = [row for row in await api.installation.fetch("SELECT id, contributor_id FROM clay.clay_push_log") if row.contributor_id == api.lead_ids[0]]  # fmt: skip
    seen = await preview(api, sync_mode="new_and_changed")
    assert (seen["to_send"], [each["count"] for each in seen["skipped"]]) == (1, [2])
    assert seen["sync_note"].startswith("1 changed lead uses 1 submission of the webhook's quota and create")
    assert seen["quota_left_after"] == 50_000 - 3 - 1
    job = await api.push_and_drain(sync_mode="new_and_changed")
    assert (job["success_count"], job["skipped_count"]) == (1, 2)
    [meta] = read_metas(api)
    assert (meta["revision"], meta["supersedes"]) == (2, str(first.id))
    await change(api, api.lead_ids[0], "Newer Inc.")
    await api.push_and_drain(sync_mode="new_and_changed")
    assert (read_metas(api)[1]["revision"], read_metas(api)[1]["supersedes"]) == (3, str(first.id))


async def test_table_that_keeps_the_newest_row_is_updated(api: Api) -> None:
    await set_dedupe(api, "keeps_newest")
    assert "replaces the old rows" in (await preview(api, sync_mode="new_and_changed"))["sync_note"]
    await api.push_and_drain(sync_mode="new_and_changed")
    assert [meta["revision"] for meta in read_metas(api)] == [2]


async def test_new_leads_are_sent_without_a_revision(api: Api) -> None:
    await set_dedupe(api, "none")
    added = await api.host.lead(api.project_id, score=50)
    await api.push_and_drain([added, *api.lead_ids], sync_mode="new_and_changed")
    assert sorted(meta.get("revision", 1) for meta in read_metas(api)) == [1, 2]


async def test_mode_new_sends_no_changed_lead_and_shows_no_price(api: Api) -> None:
    await set_dedupe(api, "none")
    seen = await preview(api)
    assert (seen["to_send"], seen["sync_note"], seen["changed_since"]) == (0, None, 1)
    assert (await api.push_and_drain())["success_count"] == 0


async def test_twenty_identical_pushes_send_the_changed_lead_once(api: Api) -> None:
    await set_dedupe(api, "none")
    async with api.installation.drainer() as drainer:
        for _ in range(4):
            await asyncio.gather(*(api.push(sync_mode="new_and_changed") for _ in range(5)))
            await api.installation.drain_all(drainer)
    assert len(api.receiver.posts) == 1


async def test_retry_keeps_the_revision(api: Api) -> None:
    await set_dedupe(api, "none")
    answers: list[Behaviour] = [status(400), OK]
    api.receiver.answer = lambda number, _body: answers[number]
    failed = await api.push_and_drain(sync_mode="new_and_changed")
    await api.call("POST", f"/api/clay/jobs/{failed['id']}/retry", {"causes": ["rejected"]})
    await api.drain()
    assert [meta["revision"] for meta in read_metas(api)] == [2, 2]


async def test_push_again_with_a_mode_is_refused(api: Api) -> None:
    body = {"lead_ids": [str(api.lead_ids[0])], "push_again": True, "sync_mode": "new_and_changed"}
    assert (await api.call("POST", "/api/clay/push", body, status=422))["errors"][0]["field"] == "sync_mode"
