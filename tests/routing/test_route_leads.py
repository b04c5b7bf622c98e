"""The statement that applies routes decides as the reference router does."""

import random
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.suppression import Excluding
from clay_push_service.host.lead_filters import LeadCriteria, select_filtered
from clay_push_service.host.leads import select_pairs
from clay_push_service.routing.route_leads import RoutedGroup, route_leads
from clay_push_service.routing.routes import Route
from tests.harness.installation import Installation, install
from tests.routing.reference_router import (
    EXCLUDED,
    NO_DESTINATION,
    Facts,
    decide,
    random_filters,
    random_routes,
    read_facts,
)

Decisions = dict[tuple[UUID, UUID], dict[UUID | str, UUID | None]]


def by_lead(groups: Sequence[RoutedGroup]) -> Decisions:
    found: Decisions = {}
    for group in groups:
        for lead_id in group.lead_ids:
            decided = found.setdefault((group.project_id, lead_id), {})
            key = EXCLUDED if group.is_suppressed else group.destination_id or NO_DESTINATION
            assert key not in decided, "a lead is once in each destination"
            decided[key] = None if group.route is None else group.route.id
    return found


async def route(
    made: Installation,
    lists: Mapping[UUID, tuple[Route, ...]],
    excluded: Sequence[LeadCriteria],
    facts: Sequence[Facts],
) -> Decisions:
    async with made.database.transaction() as connection:
        tables = await made.host_tables.tables(connection)
        if len(lists) == 1:
            [project_id] = lists
            leads = select_filtered(tables, made.org_id, project_id, LeadCriteria())
        else:
            leads = select_pairs(tables, {each.lead_id: each.project_id for each in facts})
        excluding = Excluding(has_exclusions=bool(excluded), segments=tuple(excluded))
        return by_lead(await route_leads(connection, tables, made.org_id, leads, lists, excluding))


async def exclude_something(made: Installation) -> None:
    """Adds an exclusion that matches no lead: the condition first checks whether the organization has any exclusion."""
    await made.fetch(
        "INSERT INTO clay.exclusions (id, org_id, kind, domain, ascii_domain, created_by)"
        " VALUES (gen_random_uuid(), :org_id, 'exclusion', 'nobody.test', 'nobody.test', 'test')",
        org_id=made.org_id,
    )


async def test_twenty_routes_decide_2000_leads_as_the_reference_does(database_url: str) -> None:
    destinations = [uuid4() for _ in range(6)]
    async with install(database_url, leads=2000) as made:
        await exclude_something(made)
        facts = await read_facts(made, made.project_id)
        kinds: set[str] = set()
        for seed in range(12):
            chance = random.Random(seed)
            routes = random_routes(chance, 20, destinations)
            excluded = [random_filters(chance).criteria() for _ in range(seed % 3)]
            expected = {(each.project_id, each.lead_id): decide(each, routes, excluded) for each in facts}
            assert await route(made, {made.project_id: routes}, excluded, facts) == expected, f"seed {seed}"
            kinds |= {str(key) if isinstance(key, str) else "sent" for each in expected.values() for key in each}
            kinds |= {"several" for each in expected.values() if len(each) > 1}
        assert kinds == {EXCLUDED, NO_DESTINATION, "sent", "several"}, "the random routes cover every kind of decision"


async def test_a_project_uses_its_own_list_and_its_own_scores(database_url: str) -> None:
    destinations = [uuid4() for _ in range(3)]
    async with install(database_url, leads=300) as made:
        await exclude_something(made)
        others = [await made.host.project(made.org_id, name) for name in ("Second", "Third")]
        for project_id in others:
            await made.host.bulk_leads(project_id, 300)
        facts = [each for project_id in (made.project_id, *others) for each in await read_facts(made, project_id)]
        for seed in range(5):
            chance = random.Random(seed)
            shared, own = random_routes(chance, 9, destinations), random_routes(chance, 9, destinations)
            lists = {made.project_id: shared, others[0]: own, others[1]: shared}
            excluded = [random_filters(chance).criteria()]
            expected = {
                (each.project_id, each.lead_id): decide(each, lists[each.project_id], excluded) for each in facts
            }
            assert await route(made, lists, excluded, facts) == expected, f"seed {seed}"


@pytest.mark.parametrize("criteria", [LeadCriteria(), LeadCriteria(exclude_priorities=("high",))])
async def test_a_lead_without_a_score_still_matches_a_route_for_every_lead(
    database_url: str, criteria: LeadCriteria
) -> None:
    async with install(database_url, leads=1) as made:
        [facts] = await read_facts(made, made.project_id)
        await made.host.connection.execute("DELETE FROM lead_scores")
        routes = (Route(uuid4(), uuid4(), criteria),)
        elsewhere = {made.project_id: routes, uuid4(): (Route(uuid4(), None, LeadCriteria()),)}
        found = await route(made, elsewhere, [], [facts])
        assert list(found) == [(made.project_id, facts.lead_id)]
