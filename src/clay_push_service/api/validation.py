"""Messages for validation errors: what is wrong, what is allowed, and the nearest name for a misspelled one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from fastapi.exceptions import RequestValidationError
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from clay_push_service.errors import FieldError, InvalidError, invalid_fields
from clay_push_service.near_match import near_match, unknown_name

MAX_ERRORS: Final = 20
"""Maximum errors of one response: 50,000 invalid ids would make megabytes."""
MAX_FIELD_CHARACTERS: Final = 100
UNKNOWN: Final = "extra_forbidden"
OWN_CHECK: Final = "value_error"
"""Pydantic's type for a ValueError that a validator of this service raised."""
CHOICES: Final = frozenset({"enum", "literal_error"})
PLAIN: Final[Mapping[str, str]] = {
    "missing": "is required",
    "bool_type": "must be true or false", "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "int_type": "must be a whole number", "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number", "int_parsing_size": "must be a smaller whole number",
    "float_type": "must be a number", "float_parsing": "must be a number", "finite_number": "must be a finite number",
    "uuid_type": "must be a UUID", "uuid_parsing": "must be a UUID",
    "list_type": "must be a list", "tuple_type": "must be a list",
    "model_type": "must be an object", "model_attributes_type": "must be an object", "dict_type": "must be an object",
    "json_invalid": "must be valid JSON",
    "greater_than_equal": "must be at least {ge}", "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must name at least {min_length}", "too_long": "must name at most {max_length}",
}  # fmt: skip
"""Messages by pydantic's error type, which is stable; pydantic's own messages use terms of Python."""

Place = tuple[str | int, ...]


def refusal(error: RequestValidationError, body: Any) -> InvalidError:
    """Return the 422 for a validation error. `body`: the annotation of the route's body, for the names of its fields; None without one."""
    by_place: dict[Place, list[Mapping[str, Any]]] = {}
    for each in error.errors():
        place, container = _place(tuple(each["loc"]), body)
        by_place.setdefault(place, []).append({**each, "names": _names(container)})
    found = [_finding(place, errors) for place, errors in by_place.items()]
    if not found:
        return InvalidError("The request is not valid.")
    found.sort(key=lambda each: each.suggestion is None)  # a misspelled name is also a missing one
    return invalid_fields(found, MAX_ERRORS)


def _finding(place: Place, errors: Sequence[Mapping[str, Any]]) -> FieldError:
    """Return the error of one field. A union has an error for each of its types; the one with choices is the most useful."""
    field = ".".join(str(part) for part in place[1:] or place)[:MAX_FIELD_CHARACTERS]
    choices = [choice for each in errors if each["type"] in CHOICES for choice in _choices(each) if choice]
    if choices:
        value = errors[0].get("input")
        meant = near_match(value, choices) if isinstance(value, str) else None
        allowed = ", ".join(f"`{each}`" for each in choices)
        return FieldError(field, f"must be one of {allowed}", meant)
    if errors[0]["type"] == UNKNOWN:
        return unknown_name(field, str(place[-1]), "a field", errors[0]["names"])
    return FieldError(field, _message(errors[0]))


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == OWN_CHECK:
        return str(error["ctx"]["error"])
    words = PLAIN.get(error["type"])
    if words is None:
        return str(error["msg"])
    message = words.format(**{name: _number(value) for name, value in error.get("ctx", {}).items()})
    return f"{message}, not null" if error.get("input", "") is None and error["type"] != "missing" else message


def _number(limit: object) -> object:
    return f"{int(limit):,}" if isinstance(limit, (int, float)) and limit == int(limit) else limit


def _choices(error: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def _place(loc: Place, body: Any) -> tuple[Place, Any]:
    """Return the path of the field without the names of union types, and the type that contains its last part."""
    if loc[0] != "body":
        return loc[:2], None
    container, held = body, body
    for number, part in enumerate(loc[1:], start=1):
        found = _inside(held, part)
        if found is None:
            is_name = isinstance(part, str) and any(_models(held))
            return (loc[: number + 1], held) if is_name else (loc[:number], container)
        container, held = held, found
    return loc, container


def _inside(annotation: Any, part: str | int) -> Any:
    """Return the type of a member or an item; None if it does not exist."""
    for each in _alternatives(annotation):
        if isinstance(part, int) and get_origin(each) in {list, tuple}:
            return get_args(each)[0]
        if isinstance(part, str) and isinstance(each, type) and issubclass(each, BaseModel):
            for name, field in each.model_fields.items():
                if part in _aliases(name, field):
                    return field.annotation
    return None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for each in _alternatives(annotation):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each


def _names(annotation: Any) -> list[str]:
    return [
        alias
        for model in _models(annotation)
        for name, field in model.model_fields.items()
        for alias in _aliases(name, field)
    ]


def _aliases(name: str, field: FieldInfo) -> list[str]:
    if isinstance(field.validation_alias, AliasChoices):
        return [str(each) for each in field.validation_alias.choices]
    return [field.validation_alias if isinstance(field.validation_alias, str) else name]


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _alternatives(each)
    else:
        yield annotation
