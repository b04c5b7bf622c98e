"""Validates the values of a command's options with the request model of the API, and its messages."""

from collections.abc import Mapping
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from clay_push_service.api.validation import refusal

Body = TypeVar("Body", bound=BaseModel)


def read_body(kind: type[Body], values: Mapping[str, object]) -> Body:
    """Raises 422 with the field and the message of the API, without the value."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise refusal(RequestValidationError(found), kind) from None
