"""Reads the filters of the leads page from its URL and from the forms that repeat them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import QueryParams

from clay_push_service.errors import FieldError, InvalidError, invalid_fields
from clay_push_service.leads.filters import LeadFilters

LISTS: Final = (
    "classifications", "exclude_classifications", "priorities", "exclude_priorities",
    "companies", "exclude_companies", "industries", "exclude_industries",
)  # fmt: skip
TYPED_LISTS: Final = frozenset(LISTS[4:])
"""Fields into which a user types several words, with commas between them."""
SINGLE: Final = ("min_score", "max_score", "search", "qualified_only", "without_email", "enrichment")
MOST_NAMED: Final = 5


def read_filters(query: QueryParams) -> LeadFilters:
    """Raises 422 that names the field. Empty fields are no conditions."""
    conditions: dict[str, object] = {name: query[name].strip() for name in SINGLE if query.get(name, "").strip()}
    for name in LISTS:
        words = [word.strip() for each in query.getlist(name) for word in _split(name, each) if word.strip()]
        if words:
            conditions[name] = list(dict.fromkeys(words))
    return _validated(conditions)


def parse_filters(json: str) -> LeadFilters:
    """The filters that a form repeats from the page. Raises 422."""
    if not json:
        return LeadFilters()
    try:
        return LeadFilters.model_validate_json(json)
    except ValidationError as error:
        raise _refusal(error) from None


def query_of(filters: LeadFilters, **more: str) -> str:
    """Returns the filters as the query of a URL."""
    conditions: Mapping[str, object] = filters.model_dump(exclude_defaults=True, mode="json")
    pairs: list[tuple[str, str]] = []
    for name, value in conditions.items():
        if isinstance(value, list):
            pairs += [(name, word) for word in ([",".join(value)] if name in TYPED_LISTS else value)]
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return urlencode([*((name, value) for name, value in more.items() if value), *pairs])


def _split(name: str, value: str) -> Sequence[str]:
    return value.split(",") if name in TYPED_LISTS else [value]


def _validated(conditions: Mapping[str, object]) -> LeadFilters:
    try:
        return LeadFilters.model_validate(conditions)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> InvalidError:
    found = [
        FieldError(str(each["loc"][0]) if each["loc"] else "filters", each["msg"].removeprefix("Value error, "))
        for each in error.errors(include_input=False, include_url=False)
    ]
    return invalid_fields(found, MOST_NAMED)
