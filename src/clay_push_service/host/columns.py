"""Names the host's columns that this service may read, in both vintages of NexusLeads."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Date, DateTime, Integer, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


class Vintage(StrEnum):
    """Which names the database uses: those of the feature document, or NexusLeads' current ones."""

    DOCUMENT = "2026-02"
    TODAY = "today"


RENAMED: Mapping[str, Mapping[Vintage, str]] = {
    "leads": {Vintage.DOCUMENT: "contributors", Vintage.TODAY: "members"},
    "sources": {Vintage.DOCUMENT: "repositories", Vintage.TODAY: "community_sources"},
    "source_leads": {Vintage.DOCUMENT: "repository_contributors", Vintage.TODAY: "community_members"},
    "stats": {Vintage.DOCUMENT: "contributor_stats", Vintage.TODAY: "member_activity"},
    "lead_id": {Vintage.DOCUMENT: "contributor_id", Vintage.TODAY: "member_id"},
    "source_id": {Vintage.DOCUMENT: "repository_id", Vintage.TODAY: "source_id"},
}
"""Our name → the host's name, where the vintages differ."""

_uuid, _text, _int, _number, _flag, _date, _time = (
    Uuid(),
    Text(),
    BigInteger(),
    Numeric(),
    Boolean(),
    Date(),
    DateTime(True),
)

COLUMNS: Mapping[str, Mapping[str, TypeEngine[Any]]] = {
    "organizations": {"id": _uuid, "name": _text, "slug": _text},
    "org_members": {"org_id": _uuid, "user_id": _uuid, "role": _text},
    "org_settings": {"org_id": _uuid, "key": _text, "value": _text},
    "app_settings": {"key": _text, "value": _text},
    "org_billing": {"org_id": _uuid, "is_enterprise": _flag},
    "users": {"id": _uuid, "username": _text, "is_active": _flag},
    "projects": {
        "id": _uuid, "org_id": _uuid, "name": _text,
        "auto_export_clay_enabled": _flag, "auto_export_clay_min_score": _number,
        "auto_export_clay_classifications": ARRAY(Text()),
    },
    "sources": {"id": _uuid, "project_id": _uuid, "full_name": _text},
    "leads": {
        "id": _uuid, "username": _text, "full_name": _text, "email": _text, "company": _text, "location": _text,
        "bio": _text, "avatar_url": _text, "github_url": _text, "public_repos": _int, "followers": _int,
        "following": _int,
    },
    "source_leads": {"source_id": _uuid, "lead_id": _uuid},
    "stats": {
        "source_id": _uuid, "lead_id": _uuid, "total_commits": _int, "commits_last_3_months": _int,
        "commits_last_6_months": _int, "commits_last_year": _int, "pull_requests": _int, "issues_opened": _int,
        "issues_closed": _int, "code_reviews": _int, "is_maintainer": _flag, "is_core_team": _flag,
        "first_commit_date": _date, "last_commit_date": _date,
    },
    "social_context": {
        "lead_id": _uuid, "linkedin_url": _text, "linkedin_headline": _text, "current_company": _text,
        "current_position": _text, "position_level": _text, "industry": _text, "years_of_experience": _int,
        "skills": ARRAY(Text()), "classification": _text, "classification_confidence": _number,
        "classification_reasoning": _text,
    },
    "lead_scores": {
        "lead_id": _uuid, "project_id": _uuid, "overall_score": _number, "activity_score": _number,
        "influence_score": _number, "position_score": _number, "engagement_score": _number,
        "is_qualified_lead": _flag, "priority": _text,
    },
    "sourcing_jobs": {
        "id": _uuid, "project_id": _uuid, "source_id": _uuid, "job_type": _text, "status": _text,
        "total_steps": Integer(), "current_step": Integer(), "progress_percentage": _number, "started_at": _time,
        "completed_at": _time, "error_message": _text, "metadata": JSONB(), "created_by": _uuid,
        "created_at": _time, "updated_at": _time,
    },
    "job_progress": {
        "job_id": _uuid, "step_number": Integer(), "step_name": _text, "status": _text, "message": _text,
        "details": JSONB(), "started_at": _time, "completed_at": _time,
    },
}  # fmt: skip
"""Every host column that this service may use, by our names."""

OPTIONAL_TABLES = frozenset({"app_settings", "org_billing"})
"""Missing in older hosts: then there is no global fallback, and no organization is on Enterprise."""
OPTIONAL_COLUMNS = frozenset({"organizations.slug"})
SETTINGS_TABLES = frozenset({"org_settings", "app_settings"})
"""These also hold other services' keys: the running role reads them only through SETTINGS_FUNCTION."""


def name_in(word: str, vintage: Vintage) -> str:
    return RENAMED[word][vintage] if word in RENAMED else word
