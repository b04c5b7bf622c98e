"""The maps of a routine: which value of a lead each input receives, and which key of the result fills each field. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from clay_push_service.clay.routines_body import Json, fold
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.values.fields import CUSTOM, CUSTOM_NAME, MAX_CUSTOM, Field
from clay_push_service.host.lead_row import LeadRow

MAX_INPUTS: Final = 50
MAX_KEY_CHARACTERS: Final = 100
MAX_INPUT_CHARACTERS: Final = 2000
"""Longest text that an input receives; NexusLeads' biographies can be longer."""

FIELDS: Final = tuple(field.value for field in Field)
"""The eleven fields of the enrichment guide."""
ABOUT_RESULT: Final = ("confidence", "email_status", "observed_at", "credits")
"""Keys with which a result describes itself. Clay sends none of them unless the routine has such an output."""

LEAD_VALUES: Final[Mapping[str, str]] = {
    "full_name": "full_name", "github_username": "username", "email": "email", "github_url": "github_url",
    "company": "company", "current_company": "current_company", "current_position": "current_position",
    "position_level": "position_level", "industry": "industry", "location": "location", "linkedin_url": "linkedin_url",
    "linkedin_headline": "linkedin_headline", "bio": "bio",
}  # fmt: skip
"""Field of LeadRow by name of the value. The names are those in the payload of a push."""
COMPANY_NAME: Final = "company_name"
"""The fields that form the company: the current company, else the company."""
INPUT_VALUES: Final = (*LEAD_VALUES, COMPANY_NAME)
"""Names of the values that an input may receive."""
REQUIRED: Final[Mapping[Kind, Sequence[str]]] = {Kind.EMAIL: ("full_name", COMPANY_NAME), Kind.FULL: ()}
"""The guide: "Find Email" requires a lead with name and company information."""


def problem_of_inputs(inputs: Mapping[str, str]) -> str | None:
    """Returns why a map of inputs cannot be used, as the end of a sentence; None: it can be used."""
    if not 1 <= len(inputs) <= MAX_INPUTS:
        return f"must have 1 to {MAX_INPUTS} inputs"
    if (bad := _bad_key(inputs)) is not None:
        return bad
    unknown = next((name for name in inputs.values() if name not in INPUT_VALUES), None)
    return (
        None if unknown is None else f"{unknown[:50]!r} is not a value of a lead: use one of {', '.join(INPUT_VALUES)}"
    )


def problem_of_outputs(outputs: Mapping[str, str]) -> str | None:
    """Returns why a map of outputs cannot be used, as the end of a sentence; None: it can be used."""
    custom = [field for field in outputs if field.startswith(CUSTOM)]
    for field in outputs:
        if field not in FIELDS and field not in ABOUT_RESULT and not _is_custom(field):
            names = ", ".join((*FIELDS, *ABOUT_RESULT))
            return f"{field[:50]!r} is not a field: use one of {names}, or custom.<name> in lower case"
    if len(custom) > MAX_CUSTOM:
        return f"must have at most {MAX_CUSTOM} fields custom.*"
    if not any(field not in ABOUT_RESULT for field in outputs):
        return "must fill at least one field of the lead"
    return _bad_key(outputs.values())


def _is_custom(field: str) -> bool:
    return field.startswith(CUSTOM) and CUSTOM_NAME.fullmatch(field.removeprefix(CUSTOM)) is not None


def _bad_key(keys: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for key in keys:
        if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable() or not fold(key):
            return f"a key has 1 to {MAX_KEY_CHARACTERS} printable characters"
        if fold(key) in seen:
            return f"two keys differ only in case, blanks or dashes: {key!r}"
        seen.add(fold(key))
    return None


def missing_values(kind: Kind, inputs: Mapping[str, str], lead: LeadRow) -> Sequence[str]:
    """Returns the missing values that the lead must have before money is spent: those the guide requires, or any of the mapped ones."""
    missing = [name for name in REQUIRED[kind] if not value_of(name, lead)]
    if missing:
        return missing
    return list(dict.fromkeys(inputs.values())) if not inputs_of(inputs, lead) else []


def inputs_of(inputs: Mapping[str, str], lead: LeadRow) -> dict[str, str]:
    """Returns the inputs of one item, without inputs that have no value."""
    found = {key: value_of(name, lead) for key, name in inputs.items()}
    return {key: value for key, value in found.items() if value}


def found_fields(outputs: Mapping[str, str], result: Mapping[str, Json]) -> Sequence[str]:
    """Returns the fields that a result fills. Keys are compared without case, blanks and dashes. An empty value fills nothing."""
    filled = {fold(key) for key, value in result.items() if not _is_empty(value)}
    return [field for field, key in outputs.items() if fold(key) in filled]


def unmapped_keys(outputs: Mapping[str, str], result: Mapping[str, Json]) -> Sequence[str]:
    """Returns the keys of a result that no field uses, shortened, for the user who adjusts the map."""
    used = {fold(key) for key in outputs.values()}
    return [key[:MAX_KEY_CHARACTERS] for key in result if fold(key) not in used][:MAX_CUSTOM]


def value_of(name: str, lead: LeadRow) -> str:
    """Returns one of INPUT_VALUES; empty if the lead has no such value."""
    if name == COMPANY_NAME:
        return value_of("current_company", lead) or value_of("company", lead)
    value = getattr(lead, LEAD_VALUES[name])
    return "" if value is None else str(value).strip()[:MAX_INPUT_CHARACTERS]


def _is_empty(value: Json) -> bool:
    return value is None or value in ("", []) or (isinstance(value, str) and not value.strip()) or value == {}
