"""The demo chooses a lead to enrich and prints its enrichment."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from clay_push_service.demo.enrichment import choose_lead, sources_of
from clay_push_service.demo.home import DemoError
from clay_push_service.demo.output import DemoOutput
from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.confidence import ConfidenceBand, ConfidenceBasis
from clay_push_service.enrichment.values.schemas import (
    BadgeView,
    FieldText,
    FieldView,
    LeadEnrichment,
    ScoreView,
    SearchState,
    ValueView,
)
from clay_push_service.push_jobs.views import LeadClay, LeadPage, LeadView

AT = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)


def listed(
    name: str | None = "Ann", company: str | None = "Acme", email: str | None = None, *, excluded: bool = False
) -> LeadView:
    return LeadView(
        id=uuid4(), username="ann", full_name=name, email=email, company=company, overall_score=None, classification=None,
        priority=None, is_qualified_lead=None, enrichment_score=None,
        clay=LeadClay(state="never", excluded=excluded, pushed_at=None, confirmed_at=None, job_id=None),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("leads", "chosen"),
    [
        ([listed(email="a@example.com"), listed(), listed()], 1),
        ([listed(name=None), listed(company=None), listed()], 2),
        ([listed(excluded=True), listed(email="a@example.com")], 1),
    ],
    ids=["without an e-mail address", "with name and company", "not excluded"],
)
def test_the_demo_enriches_the_best_lead_that_a_routine_can_find(leads: list[LeadView], chosen: int) -> None:
    assert choose_lead(LeadPage(leads=leads, next_cursor=None)) == leads[chosen]


def test_a_project_without_such_a_lead_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DemoError, match="Start over"):
        choose_lead(LeadPage(leads=[listed(name=None)], next_cursor=None))


def value(text: FieldText | None, source: ValueSource, confidence: int | None) -> ValueView:
    band = ConfidenceBand.NOT_GIVEN if confidence is None else ConfidenceBand.HIGH
    return ValueView(
        id=uuid4(), value=text, source=source, provider=None, confidence=confidence, band=band, basis=ConfidenceBasis.NONE,
        email_status=None, observed_at=AT, received_at=AT, entered_by=None,
    )  # fmt: skip


def field(name: str, current: ValueView | None, *history: ValueView) -> FieldView:
    return FieldView(
        field=name, state=SearchState.FOUND, current=current, chosen_because=None, pinned_by=None, pinned_at=None,
        stale=False, host_value=None, history=list(history), history_count=len(history),
    )  # fmt: skip


def lead(score: int | None, *fields: FieldView, at: datetime | None = AT) -> LeadEnrichment:
    band = ConfidenceBand.NOT_GIVEN if score is None else ConfidenceBand.HIGH
    return LeadEnrichment(
        lead_id=UUID(int=1), badge=BadgeView(enriched=at is not None, enriched_at=at, stale=False),
        score=ScoreView(confidence=score, band=band, basis=ConfidenceBasis.NONE), fields=list(fields),
    )  # fmt: skip


@pytest.fixture
def printed() -> Callable[[LeadEnrichment], list[str]]:
    def print_lead(found: LeadEnrichment) -> list[str]:
        file = io.StringIO()
        DemoOutput(Console(file=file, width=200)).enriched("Ann", found)
        return file.getvalue().splitlines()

    return print_lead


def test_badge_score_and_found_fields_are_printed(printed: Callable[[LeadEnrichment], list[str]]) -> None:
    words = value("Python, SQL", ValueSource.TABLE, None)
    found = lead(
        75, field("email", value("a@example.com", ValueSource.ROUTINE, 75)), field("phone", None), field("x", words)
    )
    assert printed(found) == [
        "Ann: enriched 2026-11-30 14:05 UTC, score 75 (high)",
        "  email            a@example.com    from routine, confidence 75 (high)",
        "  x                Python, SQL    from table, confidence not given",
    ]


def test_a_missing_score_is_not_given_and_never_a_number(printed: Callable[[LeadEnrichment], list[str]]) -> None:
    assert printed(lead(None, at=None)) == ["Ann: not enriched, score not given"]


def test_a_search_without_a_value_counts_as_an_answer() -> None:
    in_vain = value(None, ValueSource.ROUTINE, None)
    assert sources_of(lead(None, field("email", None, in_vain))) == {ValueSource.ROUTINE}
