"""The fields of the payload that Clay receives: the feature document's section 3.2, every key always, in its order."""

import operator
from collections.abc import Mapping
from enum import StrEnum

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.payload_values import Rule, Value, count, day, flag, identifier, number, text, words


class PayloadProblem(StrEnum):
    """Problems with the same values as in `clay.cause.Cause`, which this package must not import."""

    TOO_LARGE = "too_large"
    INVALID_LEAD = "invalid_lead"


class PayloadError(Exception):
    """A lead that cannot be sent. `detail` names the field or the size, never a value: it is logged and shown."""

    def __init__(self, cause: PayloadProblem, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


LEAD_FIELDS: Mapping[str, tuple[str, Rule]] = {
    "github_username": ("username", text),
    **{name: (name, text) for name in ("full_name", "email", "github_url", "avatar_url", "company", "location", "bio")},
    **{name: (name, count) for name in ("public_repos", "followers", "following")},
    **{
        name: (name, text)
        for name in (
            "linkedin_url", "linkedin_headline", "current_company", "current_position", "position_level", "industry",
        )
    },
    "years_of_experience": ("years_of_experience", count),
    "skills": ("skills", words),
    "classification": ("classification", text),
    "classification_confidence": ("classification_confidence", number),
    "classification_reasoning": ("classification_reasoning", text),
    **{
        name: (name, number)
        for name in ("overall_score", "activity_score", "influence_score", "position_score", "engagement_score")
    },
    "priority": ("priority", text),
    "is_qualified_lead": ("is_qualified_lead", flag),
}  # fmt: skip
"""Payload key → field of LeadRow and its conversion, in the order of section 3.2."""

STATS_FIELDS: Mapping[str, tuple[str, Rule]] = {
    **{
        name: (name, count)
        for name in (
            "total_commits", "commits_last_3_months", "commits_last_6_months", "commits_last_year", "pull_requests",
            "issues_opened", "issues_closed", "code_reviews",
        )
    },
    **{name: (name, flag) for name in ("is_maintainer", "is_core_team")},
    **{name: (name, day) for name in ("first_commit_date", "last_commit_date")},
}  # fmt: skip


class Fields:
    """A group of payload keys with their sources; read with one attrgetter, because every lead needs it."""

    def __init__(self, fields: Mapping[str, tuple[str, Rule]], prefix: str = "") -> None:
        self._fields = fields
        self._keys = tuple(fields)
        self._rules = tuple(rule for _, rule in fields.values())
        self._read = operator.attrgetter(*(field for field, _ in fields.values()))
        self._prefix = prefix

    def write(self, source: LeadRow) -> dict[str, Value]:
        try:
            values = self._read(source)
            return {
                key: None if value is None else rule(value)
                for key, rule, value in zip(self._keys, self._rules, values, strict=True)
            }
        except Exception:  # noqa: BLE001  # a bad value in a host's row fails this lead only
            raise PayloadError(
                PayloadProblem.INVALID_LEAD, f"The lead's {self._wrong_key(source)} has an invalid value."
            ) from None

    def _wrong_key(self, source: LeadRow) -> str:
        for key, (field, rule) in self._fields.items():
            try:
                if (value := getattr(source, field)) is not None:
                    rule(value)
            except Exception:  # noqa: BLE001  # this field is the bad one
                return self._prefix + key
        return "row"


META_FIELDS: Mapping[str, tuple[str, Rule]] = {
    "nexusleads_project": ("project_name", text),
    "nexusleads_project_id": ("project_id", identifier),
    "nexusleads_repository": ("source_name", text),
    "nexusleads_repository_id": ("source_id", identifier),
    "nexusleads_contributor_id": ("lead_id", identifier),
}
META = Fields(META_FIELDS, "_meta.")
LEAD = Fields(LEAD_FIELDS)
STATS = Fields(STATS_FIELDS, "raw_github_stats.")
