"""The enrichment score of the lead list is the one of the lead's view, and lists are sorted by it."""

import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from clay_push_service.enrichment.values.normalise import ABSENT, clean
from clay_push_service.host import enrichment_conditions
from clay_push_service.host.enrichment_conditions import BLANKS
from tests.enrichment.results import Results, results
from tests.host_integration.writing_back import permitted, write

SEED = 20261130
OWN = (None, "", " \u00a0\t", "NULL", " undefined\u2003", "own", "Jane@Example.com")
FIELDS = ("email", "location", "company_name", "linkedin_url", "industry", "job_title", "phone")


async def listed(app: Results, **query: object) -> list[Any]:
    sent = urlencode({"project_id": app.api.project_id} | query)
    return list((await app.api.call("GET", f"/api/clay/leads?{sent}"))["leads"])


async def prepare_lead(app: Results, lead_id: UUID, chance: random.Random) -> None:
    """Any mixture of results, edits, pins, and values of the host's own."""
    host = app.api.host
    texts = {name: chance.choice(OWN) for name in ("email", "company", "location")}
    for name, text in texts.items():
        await host.connection.execute(f"UPDATE {host.name('leads')} SET {name} = $2 WHERE id = $1", lead_id, text)
    columns = {name: chance.choice(OWN) for name in ("linkedin_url", "current_company", "industry", "current_position")}
    if chance.random() < 0.7:
        await host.add("social_context", lead_id=lead_id, **columns)
    for confidence in chance.sample([None, 31, 60, 62, 85, 90], k=2):
        values = {name: _value(name, chance) for name in chance.sample(FIELDS, k=chance.randint(1, 5))}
        await app.send({"lead_id": str(lead_id), **values} | ({} if confidence is None else {"confidence": confidence}))
    await app.apply()
    for field in (await app.lead(lead_id))["fields"]:
        path = f"/api/clay/leads/{lead_id}/enrichment/{field['field']}"
        if field["history"] and chance.random() < 0.3:
            found = [each["id"] for each in field["history"] if each["value"] is not None]
            if found:
                await app.api.call("PUT", path, {"value_id": chance.choice(found), "pinned": True})
        elif field["field"] in FIELDS and chance.random() < 0.15:
            await app.api.call("PUT", path, {"value": _value(field["field"], chance)})


def _value(field: str, chance: random.Random) -> str:
    number = chance.randint(1, 3)
    return {"email": f"e{number}@example.com", "linkedin_url": f"https://linkedin.com/in/e{number}"}.get(
        field, f"{field} {number}"
    )


async def shown(app: Results, lead_ids: Sequence[UUID]) -> dict[str, int | None]:
    return {str(each): (await app.lead(each))["score"]["confidence"] for each in lead_ids}


async def test_the_list_has_the_score_of_the_view_and_is_sorted_by_it(database_url: str) -> None:
    async with results(database_url, leads=24) as app:
        chance = random.Random(SEED)
        for lead_id in app.api.lead_ids[:-2]:
            await prepare_lead(app, lead_id, chance)
        expected = await shown(app, app.api.lead_ids)
        given = [each for each in expected.values() if each is not None]
        assert len(given) >= 12
        assert None in expected.values()
        assert len(set(given)) >= 6
        for sort, is_descending in (("highest_enrichment_score", True), ("lowest_enrichment_score", False)):
            whole = await listed(app, sort=sort)
            assert {each["id"]: each["enrichment_score"] for each in whole} == expected
            assert [each["enrichment_score"] for each in whole] == [
                *sorted(given, reverse=is_descending), *[None] * (len(expected) - len(given)),
            ]  # fmt: skip
            assert await paged(app, sort) == [each["id"] for each in whole]


async def paged(app: Results, sort: str) -> list[str]:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        sent = urlencode({"project_id": app.api.project_id, "sort": sort, "limit": 5, "cursor": cursor})
        page = await app.api.call("GET", f"/api/clay/leads?{sent}")
        seen += [each["id"] for each in page["leads"]]
        cursor = page["next_cursor"]
    return seen


async def test_a_written_value_is_not_the_hosts_own_until_the_host_changes_it(database_url: str) -> None:
    async with permitted(database_url, leads=1) as app:
        host = app.api.host
        await app.result(email="jane@example.com", confidence=80)
        assert await write(app) == 1
        for own, score in (("jane@example.com", 80), ("Jane@example.com", None), (" ", 80)):
            await host.connection.execute(f"UPDATE {host.name('leads')} SET email = $1", own)
            assert [each["enrichment_score"] for each in await listed(app)] == [score]
            assert await shown(app, [app.lead_id]) == {str(app.lead_id): score}


def test_blanks_are_what_cleaning_removes() -> None:
    codes = [code for code in range(1, 0x10000) if not 0xD800 <= code < 0xE000]  # PostgreSQL stores no lone surrogate
    assert [code for code in codes if (chr(code) in BLANKS) != (clean(chr(code)) == "")] == []


def test_the_texts_without_a_value_are_the_same() -> None:
    assert frozenset(enrichment_conditions.ABSENT) == ABSENT
