"""Parsing of the filters in a request."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from clay_push_service.host.enrichment_conditions import EnrichedState
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.leads.filters import LeadFilters


def test_empty_filters_select_all_leads() -> None:
    assert LeadFilters().is_empty
    assert LeadFilters().criteria() == LeadCriteria()
    assert LeadFilters(search="   ").criteria() == LeadCriteria()


def test_all_filters_reach_the_statement() -> None:
    filters = LeadFilters.model_validate({
        "min_score": 70.5, "max_score": 99, "qualified_only": True, "search": " Ann ", "classifications": ["A"],
        "industries": ["B"], "companies": ["C"], "priorities": ["D"], "exclude_classifications": ["E"],
        "exclude_industries": ["F"], "exclude_companies": ["G"], "exclude_priorities": ["H"],
        "without_email": True, "enrichment": "stale",
    })  # fmt: skip
    assert not filters.is_empty
    assert filters.criteria() == LeadCriteria(
        Decimal("70.5"), Decimal("99.0"), True, "Ann", ("A",), ("B",), ("C",), ("D",), ("E",), ("F",), ("G",), ("H",),
        True, EnrichedState.STALE,
    )  # fmt: skip


@pytest.mark.parametrize(
    "filters",
    [
        {"minimum": 5},
        {"min_score": -1},
        {"max_score": 101},
        {"min_score": float("nan")},
        {"min_score": 80, "max_score": 70},
        {"search": "a\0b"},
        {"search": "\ud800"},
        {"search": "x" * 201},
        {"companies": "Acme"},
        {"companies": [""]},
        {"companies": ["a\0"]},
        {"companies": [None]},
        {"companies": ["x"] * 501},
        {"qualified_only": "perhaps"},
        {"without_email": "perhaps"},
        {"enrichment": "fresh"},
    ],
    ids=lambda filters: ascii(filters)[:40],
)
def test_contradictory_filters_are_refused(filters: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LeadFilters.model_validate(filters)


def test_filters_are_unchanged_after_they_are_stored() -> None:
    filters = LeadFilters(min_score=12.5, companies=("Söhne & Töchter",))
    assert LeadFilters.model_validate_json(filters.model_dump_json()) == filters
