"""The catalogue of fields that a column can be made from: those of the payload, and the values that came from Clay."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from clay_push_service.leads.mapping.values import ColumnType, Json
from clay_push_service.leads.payload_fields import LEAD_FIELDS, META_FIELDS, STATS_FIELDS
from clay_push_service.leads.payload_values import Rule, Value, count, day, flag, identifier, number, text, words

STATS_OBJECT = "raw_github_stats"
ENRICHED, CUSTOM = "enriched.", "custom."
CUSTOM_FIELD = re.compile(r"custom\.[a-z][a-z0-9_]{0,39}", re.ASCII)


class FieldOrigin(StrEnum):
    """Where the value of a field comes from."""

    NEXUSLEADS = "nexusleads"
    CLAY = "clay"
    """Clay found it, or a person corrected what Clay found."""


@dataclass(frozen=True, slots=True)
class MappableField:
    """`attribute` and `rule`: the source in `LeadRow`; None for the statistics as an object and for values of Clay."""

    name: str
    type: ColumnType
    about: str
    sample: Json
    origin: FieldOrigin = FieldOrigin.NEXUSLEADS
    counts: bool = True
    """Whether a change of the value makes a lead "changed since". False for names of projects and repositories, and for values of Clay."""
    attribute: str | None = None
    rule: Rule | None = None


_TYPES: Mapping[Rule, ColumnType] = MappingProxyType(
    {
        text: ColumnType.TEXT, identifier: ColumnType.TEXT, number: ColumnType.NUMBER, count: ColumnType.NUMBER,
        flag: ColumnType.BOOLEAN, day: ColumnType.DATE, words: ColumnType.LIST,
    }
)  # fmt: skip
_FIELD_TYPES = {
    "email": ColumnType.EMAIL,
    **dict.fromkeys(("github_url", "avatar_url", "linkedin_url"), ColumnType.URL),
}
_DESCRIPTIONS: Mapping[str, tuple[str, Json]] = MappingProxyType(
    {
        "github_username": ("User name on GitHub; unique.", "johndoe"),
        "full_name": ("Full name.", "John Doe"),
        "email": ("E-mail address.", "john@example.com"),
        "github_url": ("Profile on GitHub.", "https://github.com/johndoe"),
        "avatar_url": ("Picture on GitHub.", "https://avatars.githubusercontent.com/u/1"),
        "company": ("Company, as the profile on GitHub has it.", "Acme Corp"),
        "location": ("Place, as the profile on GitHub has it.", "San Francisco, CA"),
        "bio": ("Description on GitHub.", "Senior Engineer at Acme"),
        "public_repos": ("Public repositories.", 45),
        "followers": ("Followers on GitHub.", 230),
        "following": ("Accounts that the lead follows on GitHub.", 120),
        "linkedin_url": ("Profile on LinkedIn.", "https://linkedin.com/in/johndoe"),
        "linkedin_headline": ("Headline on LinkedIn.", "Senior Software Engineer at Acme Corp"),
        "current_company": ("Current employer.", "Acme Corp"),
        "current_position": ("Current position.", "Senior Software Engineer"),
        "position_level": ("Level of the position.", "Senior"),
        "industry": ("Industry.", "Technology"),
        "years_of_experience": ("Years of experience.", 8),
        "skills": ("Skills.", ["Python", "Kubernetes", "Go"]),
        "classification": ("NexusLeads' classification.", "DECISION_MAKER"),
        "classification_confidence": ("Confidence of the classification, 0 to 1.", 0.87),
        "classification_reasoning": ("Why NexusLeads classifies the lead so.", "Senior engineer with 8 years experience..."),
        "overall_score": ("Overall score in the project, 0 to 100.", 82.5),
        "activity_score": ("Score of activity.", 75.0),
        "influence_score": ("Score of influence.", 88.0),
        "position_score": ("Score of the position.", 90.0),
        "engagement_score": ("Score of engagement.", 70.0),
        "priority": ("Priority.", "high"),
        "is_qualified_lead": ("Whether NexusLeads marks the lead as qualified.", True),
        "total_commits": ("Commits in the project's repositories.", 342),
        "commits_last_3_months": ("Commits of the last 3 months.", 45),
        "commits_last_6_months": ("Commits of the last 6 months.", 98),
        "commits_last_year": ("Commits of the last year.", 210),
        "pull_requests": ("Pull requests.", 67),
        "issues_opened": ("Issues opened.", 23),
        "issues_closed": ("Issues closed.", 18),
        "code_reviews": ("Code reviews.", 89),
        "is_maintainer": ("Whether the lead maintains a repository.", True),
        "is_core_team": ("Whether the lead belongs to a core team.", False),
        "first_commit_date": ("Day of the first commit.", "2024-03-15"),
        "last_commit_date": ("Day of the last commit.", "2026-02-10"),
        "project_name": ("Name of the project in NexusLeads.", "Acme Platform Leads"),
        "project_id": ("Id of the project.", "00000000-0000-4000-8000-000000000002"),
        "repository": ("Repository with most of the lead's commits.", "acme/platform"),
        "repository_id": ("Id of the repository.", "00000000-0000-4000-8000-000000000003"),
        "lead_id": ("Id of the lead; unique.", "00000000-0000-4000-8000-000000000001"),
    }
)  # fmt: skip
_ENRICHED: Mapping[str, tuple[ColumnType, str, Json]] = MappingProxyType(
    {
        "email": (ColumnType.EMAIL, "Work e-mail address", "john.doe@acme.com"),
        "phone": (ColumnType.TEXT, "Phone number", "+14155550100"),
        "linkedin_url": (ColumnType.URL, "Profile on LinkedIn", "https://www.linkedin.com/in/johndoe"),
        "twitter_url": (ColumnType.URL, "Profile on X", "https://x.com/johndoe"),
        "company_name": (ColumnType.TEXT, "Company", "Acme"),
        "company_website": (ColumnType.TEXT, "Web site of the company", "acme.com"),
        "company_size": (ColumnType.TEXT, "Number of employees", "201-500"),
        "industry": (ColumnType.TEXT, "Industry", "Software"),
        "technologies": (ColumnType.LIST, "Technologies of the company", ["Kubernetes", "Snowflake"]),
        "job_title": (ColumnType.TEXT, "Job title", "Staff Engineer"),
        "location": (ColumnType.TEXT, "Place", "San Francisco, California"),
    }
)  # fmt: skip
_STATS_SAMPLE: Mapping[str, Value] = MappingProxyType(
    {
        name: sample
        for name, (_, sample) in _DESCRIPTIONS.items()
        if name in STATS_FIELDS and not isinstance(sample, Mapping)
    }
)
_META_NAMES = {name.removeprefix("nexusleads_"): name for name in META_FIELDS} | {
    "project_name": "nexusleads_project",
    "lead_id": "nexusleads_contributor_id",
}


def _of_row(name: str, source: tuple[str, Rule], *, counts: bool) -> MappableField:
    attribute, rule = source
    about, sample = _DESCRIPTIONS[name]
    return MappableField(
        name, _FIELD_TYPES.get(name, _TYPES[rule]), about, sample, counts=counts, attribute=attribute, rule=rule
    )


FIELDS: Mapping[str, MappableField] = MappingProxyType(
    {
        **{name: _of_row(name, source, counts=True) for name, source in LEAD_FIELDS.items()},
        STATS_OBJECT: MappableField(
            STATS_OBJECT, ColumnType.JSON, "All statistics of GitHub as one object.", _STATS_SAMPLE,
        ),
        **{name: _of_row(name, source, counts=True) for name, source in STATS_FIELDS.items()},
        **{
            name: _of_row(name, META_FIELDS[_META_NAMES[name]], counts=name in {"lead_id", "project_id"})
            for name in ("project_name", "project_id", "repository", "repository_id", "lead_id")
        },
        **{
            ENRICHED + name: MappableField(ENRICHED + name, type_, f"{about}, found in Clay.", sample, FieldOrigin.CLAY, counts=False)
            for name, (type_, about, sample) in _ENRICHED.items()
        },
    }
)  # fmt: skip
"""All fields but the custom ones, in the order in which they are listed."""


def find_field(name: str) -> MappableField | None:
    """A field of the catalogue. Each well-formed `custom.` name is one: without a value it is empty."""
    found = FIELDS.get(name)
    if found is None and CUSTOM_FIELD.fullmatch(name):
        return custom_field(name)
    return found


def custom_field(name: str) -> MappableField:
    return MappableField(
        name,
        ColumnType.TEXT,
        "A field that your organization takes from Clay.",
        "value",
        FieldOrigin.CLAY,
        counts=False,
    )


def known_names(custom: Iterable[str] = ()) -> list[str]:
    return [*FIELDS, *(CUSTOM + name for name in custom)]
