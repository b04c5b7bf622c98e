"""A lead of NexusLeads in one project, as values from which the payload is built. Imports no framework.

Immutable by convention and not frozen: creating a frozen dataclass of this size, one per lead, takes nine times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID


@dataclass(slots=True)
class LeadRow:
    """One lead in one project, with the host's values. The fields are the columns of `read_lead_rows`, in order."""

    lead_id: UUID
    project_id: UUID
    project_name: str | None = None
    source_id: UUID | None = None
    source_name: str | None = None
    """`owner/repo` of the source with most of the lead's commits; without activity, of the first source that contains the lead."""
    username: str | None = None
    full_name: str | None = None
    email: str | None = None
    github_url: str | None = None
    avatar_url: str | None = None
    company: str | None = None
    location: str | None = None
    bio: str | None = None
    public_repos: int | None = None
    followers: int | None = None
    following: int | None = None
    linkedin_url: str | None = None
    linkedin_headline: str | None = None
    current_company: str | None = None
    current_position: str | None = None
    position_level: str | None = None
    industry: str | None = None
    years_of_experience: int | Decimal | None = None
    skills: Sequence[str | None] | None = None
    classification: str | None = None
    classification_confidence: float | Decimal | None = None
    classification_reasoning: str | None = None
    overall_score: float | Decimal | None = None
    activity_score: float | Decimal | None = None
    influence_score: float | Decimal | None = None
    position_score: float | Decimal | None = None
    engagement_score: float | Decimal | None = None
    priority: str | None = None
    is_qualified_lead: bool | None = None
    activity_rows: int = 0
    """The number of the lead's activity rows in the project; the fields below are their sums, None where every row has null."""
    total_commits: int | Decimal | None = None
    commits_last_3_months: int | Decimal | None = None
    commits_last_6_months: int | Decimal | None = None
    commits_last_year: int | Decimal | None = None
    pull_requests: int | Decimal | None = None
    issues_opened: int | Decimal | None = None
    issues_closed: int | Decimal | None = None
    code_reviews: int | Decimal | None = None
    is_maintainer: bool | None = None
    is_core_team: bool | None = None
    first_commit_date: date | None = None
    last_commit_date: date | None = None
