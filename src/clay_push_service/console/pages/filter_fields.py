"""The lead filters as fields of a form, of segments and schedules, and in words. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from clay_push_service.console.pages.form_state import MOST_NAMED, wrong_field
from clay_push_service.console.session.form import Form
from clay_push_service.errors import FieldError, InvalidError, invalid_fields
from clay_push_service.leads.filters import LeadFilters

FILTER_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "min_score": "Score from",
        "max_score": "Score to",
        "search": "Text",
        "classifications": "Classifications",
        "exclude_classifications": "Not these classifications",
        "priorities": "Priorities",
        "exclude_priorities": "Not these priorities",
        "companies": "Companies",
        "exclude_companies": "Not these companies",
        "industries": "Industries",
        "exclude_industries": "Not these industries",
        "qualified_only": "Qualified",
        "without_email": "Without e-mail",
        "enrichment": "Enriched by Clay",
    }
)
LISTS: Final = (
    "classifications", "exclude_classifications", "priorities", "exclude_priorities",
    "companies", "exclude_companies", "industries", "exclude_industries",
)  # fmt: skip
SCORES: Final = ("min_score", "max_score")
CHECKS: Final = ("qualified_only", "without_email")
ENRICHMENT_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {"": "Any", "never": "Never", "stale": "More than six months ago"}
)


def filter_values(filters: LeadFilters) -> dict[str, str]:
    """The texts of the form's fields."""
    found: dict[str, str] = {}
    for name, value in filters.model_dump(exclude_defaults=True, mode="json").items():
        if isinstance(value, list):
            found[name] = ", ".join(value)
        elif isinstance(value, bool):
            found[name] = "1" if value else ""
        else:
            found[name] = f"{value:g}" if isinstance(value, float) else str(value)
    return found


def read_filter_fields(form: Form) -> LeadFilters:
    """Raises 422 that names each wrong field. Empty fields are no conditions."""
    sent: dict[str, object] = {}
    for name in SCORES:
        if form.text(name):
            try:
                sent[name] = float(form.text(name))
            except ValueError:
                raise wrong_field(name, "must be a number from 0 to 100", FILTER_LABELS) from None
    for name in LISTS:
        words = [word.strip() for word in form.text(name).split(",") if word.strip()]
        if words:
            sent[name] = list(dict.fromkeys(words))
    for name in ("search", "enrichment"):
        if form.text(name):
            sent[name] = form.text(name)
    sent |= {name: True for name in CHECKS if form.is_checked(name)}
    try:
        return LeadFilters.model_validate(sent)
    except ValidationError as error:
        raise _refusal(error) from None


def filter_words(filters: LeadFilters) -> Sequence[str]:
    """Each condition in words; empty: every lead."""
    found = []
    for name, value in filter_values(filters).items():
        if name in CHECKS:
            found.append("Only qualified leads" if name == "qualified_only" else "Without an e-mail address")
        elif name == "enrichment":
            found.append(f"Enriched by Clay: {ENRICHMENT_TEXTS[value].lower()}")
        else:
            found.append(f"{FILTER_LABELS[name]}{':' if name not in SCORES else ''} {value}")
    return found


def _refusal(error: ValidationError) -> InvalidError:
    found = [
        FieldError(str(each["loc"][0]) if each["loc"] else "min_score", each["msg"].removeprefix("Value error, "))
        for each in error.errors(include_input=False, include_url=False)
    ]
    return invalid_fields(found, MOST_NAMED)
