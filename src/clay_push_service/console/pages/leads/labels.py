"""Words for the fields, sources and confidences of an enrichment. Pure."""

from types import MappingProxyType
from typing import Final

from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.confidence import ConfidenceBasis
from clay_push_service.enrichment.values.fields import CUSTOM, Field

FIELD_LABELS: Final = MappingProxyType(
    {
        Field.EMAIL.value: "E-mail address",
        Field.PHONE.value: "Phone number",
        Field.LINKEDIN_URL.value: "LinkedIn",
        Field.TWITTER_URL.value: "X (Twitter)",
        Field.COMPANY_NAME.value: "Company",
        Field.COMPANY_WEBSITE.value: "Company website",
        Field.COMPANY_SIZE.value: "Company size",
        Field.INDUSTRY.value: "Industry",
        Field.TECHNOLOGIES.value: "Technologies",
        Field.JOB_TITLE.value: "Position",
        Field.LOCATION.value: "Location",
    }
)
SOURCES: Final = MappingProxyType(
    {
        ValueSource.ROUTINE: "Clay routine",
        ValueSource.TABLE: "Clay table",
        ValueSource.PERSON: "Entered",
        ValueSource.HOST: "NexusLeads",
    }
)


def field_label(name: str) -> str:
    """`email` → `E-mail address`; `custom.last_news` → `Last news`."""
    return FIELD_LABELS.get(name) or name.removeprefix(CUSTOM).replace("_", " ").capitalize()


def confidence_words(confidence: int | None, band: str, basis: ConfidenceBasis) -> str:
    """`92 % (very high)`; with `derived` for a derived figure; without a figure, that none was given."""
    if confidence is None:
        return "Confidence not given"
    derived = ", derived" if basis is ConfidenceBasis.DERIVED else ""
    return f"{confidence} % ({band.replace('_', ' ')}{derived})"
