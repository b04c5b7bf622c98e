"""The sample payload of a connection test: a fictitious lead with every key filled."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.payload import NIL, Payload, build

SAMPLE = LeadRow(
    lead_id=NIL, project_id=NIL, project_name="NexusLeads connection test", source_id=NIL,
    source_name="nexusleads/connection-test", username="nexusleads-test",
    full_name="NexusLeads Test (please delete this row)", email="nexusleads-test@example.com",
    github_url="https://github.com/nexusleads-test", avatar_url="https://example.com/nexusleads-test.png",
    company="Example Inc.", location="Nowhere", bio="A test of the connection between NexusLeads and this Clay table.",
    public_repos=1, followers=1, following=1, linkedin_url="https://example.com/in/nexusleads-test",
    linkedin_headline="Connection test", current_company="Example Inc.", current_position="Connection test",
    position_level="Senior", industry="Technology", years_of_experience=1, skills=("Testing",),
    classification="DECISION_MAKER", classification_confidence=Decimal("0.5"),
    classification_reasoning="Not a person: sent by NexusLeads to test the connection.", overall_score=Decimal(50),
    activity_score=Decimal(50), influence_score=Decimal(50), position_score=Decimal(50), engagement_score=Decimal(50),
    priority="low", is_qualified_lead=False,
    activity_rows=1, total_commits=1, commits_last_3_months=1, commits_last_6_months=1, commits_last_year=1,
    pull_requests=1, issues_opened=1, issues_closed=1, code_reviews=1, is_maintainer=False, is_core_team=False,
    first_commit_date=date(2026, 1, 1), last_commit_date=date(2026, 1, 1),
)  # fmt: skip
"""Every key has a value, so that one test row gives Clay every column with its type."""


def build_sample(delivery_id: UUID, pushed_at: datetime, project_name: str | None = None) -> Payload:
    """The payload of a connection test; clearly not a person's."""
    return build(SAMPLE if project_name is None else replace(SAMPLE, project_name=project_name), delivery_id, pushed_at)
