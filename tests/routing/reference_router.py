"""A reference router in plain Python: it decides for one lead after the other, as the issue and the documentation define it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.routing.routes import MovePolicy, Route
from tests.harness.installation import Installation

NO_DESTINATION = "none"
EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Facts:
    """What NexusLeads has of one lead in one project."""

    lead_id: UUID
    project_id: UUID
    username: str | None
    full_name: str | None
    email: str | None
    company: str | None
    current_company: str | None
    classification: str | None
    industry: str | None
    priority: str | None
    score: float | None
    qualified: bool | None


async def read_facts(made: Installation, project_id: UUID) -> list[Facts]:
    lead, context = made.name("leads"), "social_context"
    rows = await made.host.connection.fetch(
        f"""
        SELECT lead.id AS lead_id, score.project_id, lead.username, lead.full_name, lead.email, lead.company,
               context.current_company, context.classification, context.industry, score.priority,
               CAST(score.overall_score AS float8) AS score, score.is_qualified_lead AS qualified
        FROM lead_scores AS score JOIN {lead} AS lead ON lead.id = score.{made.name("lead_id")}
        LEFT JOIN {context} AS context ON context.{made.name("lead_id")} = lead.id
        WHERE score.project_id = $1 ORDER BY lead.id""",
        project_id,
    )
    return [Facts(**row) for row in rows]


def matches(lead: Facts, criteria: LeadCriteria) -> bool:
    if criteria.min_score is not None and (lead.score is None or lead.score < float(criteria.min_score)):
        return False
    if criteria.max_score is not None and (lead.score is None or lead.score > float(criteria.max_score)):
        return False
    if criteria.qualified_only and lead.qualified is not True:
        return False
    texts = [each.casefold() for each in (lead.username, lead.full_name, lead.email, lead.company) if each is not None]
    if criteria.search and not any(criteria.search.casefold() in each for each in texts):
        return False
    for values, included, excluded in (
        ({lead.classification}, criteria.classifications, criteria.exclude_classifications),
        ({lead.industry}, criteria.industries, criteria.exclude_industries),
        ({lead.company, lead.current_company}, criteria.companies, criteria.exclude_companies),
        ({lead.priority}, criteria.priorities, criteria.exclude_priorities),
    ):
        if (included and values.isdisjoint(included)) or not values.isdisjoint(excluded):
            return False
    return True


def decide(lead: Facts, routes: Sequence[Route], excluded: Sequence[LeadCriteria]) -> dict[UUID | str, UUID | None]:
    """Destination → the route that chose it; `EXCLUDED` or `NO_DESTINATION` → the route that stopped the list, or None."""
    if any(matches(lead, each) for each in excluded):
        return {EXCLUDED: None}
    found: dict[UUID | str, UUID | None] = {}
    stopped_by = None
    for route in routes:
        if route.criteria is None or not matches(lead, route.criteria):
            continue
        if route.destination_id is not None:
            found.setdefault(route.destination_id, route.id)
        if not route.continues:
            stopped_by = route.id
            break
    return found or {NO_DESTINATION: stopped_by}


def random_filters(chance: random.Random) -> LeadFilters:
    """Of one to three conditions, with values of `tests.harness.bulk_leads`."""
    low, high = sorted((chance.randint(0, 100), chance.randint(0, 100)))
    companies = tuple(f"Company {chance.randint(0, 499)}" for _ in range(chance.randint(1, 80)))
    conditions: Sequence[Mapping[str, Any]] = (
        {"min_score": low}, {"max_score": high}, {"min_score": low, "max_score": high}, {"qualified_only": True},
        {"search": chance.choice(("bulk-1", "NUMBER 7", "example.com", "company 4", "99"))},
        {"classifications": ("DECISION_MAKER",)}, {"classifications": ("HIGH_IMPACT", "KEY_CONTRIBUTOR")},
        {"industries": (chance.choice(("Technology", "Finance", "Health")),)}, {"companies": companies},
        {"priorities": ("high",)}, {"exclude_classifications": ("DECISION_MAKER",)},
        {"exclude_industries": ("Education", "Health")}, {"exclude_companies": companies},
        {"exclude_priorities": ("low",)},
    )  # fmt: skip
    criteria: dict[str, Any] = {}
    for each in chance.sample(conditions, chance.randint(1, 3)):
        criteria.update(each)
    if criteria.get("min_score", 0) > criteria.get("max_score", 100):
        del criteria["min_score"]
    return LeadFilters.model_validate(criteria)


def random_routes(chance: random.Random, count: int, destinations: Sequence[UUID]) -> tuple[Route, ...]:
    """Some continue, some lead nowhere, one segment was emptied by an erasure, and half of the lists end with every lead."""
    made: list[Route] = []
    for _ in range(count):
        destination = chance.choice((*destinations, *destinations, None))
        continues = destination is not None and chance.random() < 0.35
        criteria = None if chance.random() < 0.05 else random_filters(chance).criteria()
        made.append(Route(uuid4(), destination, criteria, continues, chance.choice(tuple(MovePolicy))))
    if chance.random() < 0.5:
        made[-1] = Route(uuid4(), destinations[0], LeadCriteria())
    return tuple(made)
