"""The columns of NexusLeads that values of Clay may fill, by field. `attach --write-enrichment` grants UPDATE on exactly these."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from clay_push_service.enrichment.values.fields import Field


class HostColumn(NamedTuple):
    """By this service's words for table and column."""

    table: str
    column: str
    key: str
    """The column that holds the lead's id."""
    unless: str | None = None
    """Not written while this column of `social_context` has a value: then the field has a value of NexusLeads' own."""


WRITTEN: Mapping[Field, HostColumn] = MappingProxyType(
    {
        Field.EMAIL: HostColumn("leads", "email", "id"),
        Field.COMPANY_NAME: HostColumn("leads", "company", "id", unless="current_company"),
        Field.LOCATION: HostColumn("leads", "location", "id"),
        Field.LINKEDIN_URL: HostColumn("social_context", "linkedin_url", "lead_id"),
        Field.INDUSTRY: HostColumn("social_context", "industry", "lead_id"),
        Field.JOB_TITLE: HostColumn("social_context", "current_position", "lead_id"),
    }
)
