"""A simulation over HTTP equals the push right after it: for each of 2,000 leads the same tables, routes and reasons."""

import random
from typing import Any

from tests.harness.api import Api, run_api_with_leads
from tests.routing.reference_router import random_filters
from tests.routing.routed import ROUTES, set_routes

LEADS, TABLES, COUNT, SEEDS = 2_000, 5, 20, 3
Decisions = set[tuple[str, str | None, str | None, str | None]]
"""Lead, table, route and cause. A lead that goes nowhere has no table."""
NOWHERE = {"no_route", "excluded", "erased"}


async def prepare(api: Api, chance: random.Random) -> list[str]:
    """Five tables and an exclusion of a segment. Returns the tables."""
    tables = [
        str((await api.call("POST", "/api/clay/destinations", {"name": f"Table {n}", "webhook_url": f"{api.receiver.url}-{n}"}))["id"])
        for n in range(TABLES)
    ]  # fmt: skip
    await api.call(
        "POST", "/api/clay/exclusions", {"segment_id": await segment(api, chance, "Excluded"), "reason": "x"}
    )
    return tables


async def segment(api: Api, chance: random.Random, name: str) -> str:
    filters = random_filters(chance).model_dump(mode="json", exclude_defaults=True)
    return str((await api.call("POST", "/api/clay/segments", {"name": name, "filters": filters}))["id"])


async def random_list(api: Api, chance: random.Random, seed: int, tables: list[str]) -> None:
    routes: list[dict[str, object]] = []
    for number in range(COUNT):
        table = chance.choice((*tables, *tables, None))
        routes.append(
            {
                "segment_id": await segment(api, chance, f"Seed {seed} route {number}"),
                "destination_id": table,
                "continue": table is not None and chance.random() < 0.35,
            }
        )
    if chance.random() < 0.5:
        routes[-1] = {"segment_id": None, "destination_id": tables[0]}
    await set_routes(api, *routes)


async def simulated(api: Api) -> Decisions:
    found: Decisions = set()
    body: dict[str, Any] = {"project_id": str(api.project_id), "limit": 200}
    while True:
        page = await api.call("POST", f"{ROUTES}/simulate", body)
        for each in page["leads"]:
            for one in each["decisions"]:
                table = one["destination"] and one["destination"]["name"]
                found.add((each["lead"]["id"], table, one["route_id"], one["skipped_because"]))
        if page["next_cursor"] is None:
            return found
        body["cursor"] = page["next_cursor"]


async def pushed(api: Api) -> Decisions:
    """The deliveries of one push of the whole project."""
    [last] = await api.installation.fetch("SELECT coalesce(max(seq), 0) AS seq FROM clay.clay_push_log")
    body = {"project_id": str(api.project_id), "filters": {}, "push_mode": "all"}
    await api.call("POST", "/api/clay/push-filtered", body)
    rows = await api.installation.fetch(
        "SELECT log.contributor_id, destination.name, log.route_id, log.cause FROM clay.clay_push_log AS log"
        " JOIN clay.destinations AS destination ON destination.id = log.destination_id WHERE log.seq > :last",
        last=last.seq,
    )
    return {
        (
            str(row.contributor_id), None if row.cause in NOWHERE else row.name,
            None if row.route_id is None else str(row.route_id), row.cause,
        )
        for row in rows
    }  # fmt: skip


async def end_some(api: Api) -> None:
    """End most queued deliveries with different results: the next push meets leads that are in Clay, maybe in Clay, queued or failed."""
    await api.installation.fetch(
        "UPDATE clay.clay_push_log SET state = 'done', finished_at = now(), status = ends.status, cause = ends.cause"
        " FROM (VALUES (0, 'success', NULL), (1, 'failed', 'unknown'), (2, 'failed', 'rejected')) AS ends (kind, status, cause)"
        " WHERE state = 'waiting' AND ends.kind = seq % 4"
    )


async def test_the_simulation_of_random_routes_equals_the_push(database_url: str) -> None:
    causes: set[str | None] = set()
    async with run_api_with_leads(database_url, leads=0) as api:
        await api.host.bulk_leads(api.project_id, LEADS)
        tables = await prepare(api, random.Random(0))
        for seed in range(SEEDS):
            await random_list(api, random.Random(seed), seed, tables)
            expected = await simulated(api)
            assert len({lead for lead, *_ in expected}) == LEADS
            assert await pushed(api) == expected, f"seed {seed}"
            causes |= {cause for *_, cause in expected}
            await end_some(api)
    assert causes >= {None, "no_route", "excluded", "already_in_clay", "already_queued", "maybe_in_clay"}, causes
