"""The fields that an enrichment can fill: the eleven of the enrichment guide, and the custom fields of an organization.

Keys are compared without case, `_`, `-` and spaces, because Clay returns keys in another case.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from clay_push_service.clay.routines_body import fold


class Field(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    LINKEDIN_URL = "linkedin_url"
    TWITTER_URL = "twitter_url"
    COMPANY_NAME = "company_name"
    COMPANY_WEBSITE = "company_website"
    COMPANY_SIZE = "company_size"
    INDUSTRY = "industry"
    TECHNOLOGIES = "technologies"
    JOB_TITLE = "job_title"
    LOCATION = "location"


CUSTOM = "custom."
"""Prefix of the fields that an organization allows by name."""
MAX_CUSTOM = 50
CUSTOM_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
OTHER_NAMES: Mapping[Field, tuple[str, ...]] = MappingProxyType(
    {
        Field.EMAIL: ("work_email", "email_address", "business_email"),
        Field.PHONE: ("phone_number", "mobile_phone", "mobile", "direct_dial"),
        Field.LINKEDIN_URL: ("linkedin", "linkedin_profile", "linkedin_profile_url"),
        Field.TWITTER_URL: ("twitter", "twitter_handle", "x_url"),
        Field.COMPANY_NAME: ("company", "organization_name"),
        Field.COMPANY_WEBSITE: ("company_domain", "website", "domain", "company_url"),
        Field.COMPANY_SIZE: ("employee_count", "employees", "headcount"),
        Field.INDUSTRY: ("company_industry",),
        Field.TECHNOLOGIES: ("tech_stack", "technology"),
        Field.JOB_TITLE: ("title", "current_position"),
        Field.LOCATION: ("city_country",),
    }
)
"""Names that Clay's columns often have, besides the field's own."""
_BY_NAME: Mapping[str, str] = MappingProxyType(
    {fold(name): field.value for field in Field for name in (field.value, *OTHER_NAMES[field])}
)


class FieldNames:
    """Finds the field of a key. `custom`: the names that the organization allows, without the prefix."""

    __slots__ = ("_by_name",)

    def __init__(self, custom: Iterable[str] = ()) -> None:
        allowed = {fold(prefix + name): CUSTOM + name for name in custom for prefix in ("", CUSTOM)}
        self._by_name = {**allowed, **_BY_NAME}

    def field_of(self, key: str) -> str | None:
        return self._by_name.get(fold(key))

    def field_before(self, key: str, suffix: str) -> str | None:
        """The field of a key such as `email_confidence`, for the suffix `confidence`."""
        folded, ending = fold(key), fold(suffix)
        return self._by_name.get(folded.removesuffix(ending)) if folded.endswith(ending) else None
