"""The values and errors of a form, so that a refused form is shown again with each error beside its field. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ValidationError

from clay_push_service.console.session.form import Form
from clay_push_service.errors import ClayPushError, FieldError, InvalidError, invalid_fields

MOST_NAMED: Final = 20
REFUSALS: Final = frozenset({409, 422})
"""Statuses after which the form is shown again. Others are pages of their own."""

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FormState:
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    """Why the form was refused, in one sentence."""
    prefix: str = ""
    """Prefix of the fields' ids, if a page has several such forms."""

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def error(self, name: str) -> str | None:
        return self.errors.get(name)

    def is_first(self, name: str) -> bool:
        """Whether this is the first field with an error, which gets the focus."""
        return next(iter(self.errors), None) == name

    @property
    def is_refused(self) -> bool:
        return self.problem is not None

    @classmethod
    def refused(
        cls,
        form: Form,
        error: ClayPushError,
        *,
        fields: Collection[str],
        secret: Collection[str] = (),
        prefix: str = "",
    ) -> Self:
        """The typed values without the secret ones, which no response contains. `fields`: those that can show an error."""
        values = {name: form.text(name) for name in form.fields if name not in secret}
        errors: dict[str, str] = {}
        for each in error.errors:
            name = str(each.get("field", ""))
            if name in fields:
                errors.setdefault(name, sentence(str(each["message"])))
        return cls(values, errors, error.detail, prefix)


def sentence(message: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    text = message[:1].upper() + message[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def raise_unless_shown(error: ClayPushError) -> None:
    """Raise errors that a form cannot show beside its fields, such as 404."""
    if error.status not in REFUSALS:
        raise error


def validated(kind: type[Body], sent: Mapping[str, object], labels: Mapping[str, str]) -> Body:
    """The body that the API would read. Raises 422 with the label of each wrong field."""
    try:
        return kind.model_validate(sent)
    except ValidationError as error:
        found = [
            (
                str(each["loc"][0]) if each["loc"] else "",
                each["msg"].removeprefix("Value error, ").replace("String should", "must"),
            )
            for each in error.errors(include_input=False, include_url=False)
        ]
        detail = " ".join(sentence(f"{labels.get(name, name)}: {message}") for name, message in found)
        raise InvalidError(detail, errors=[{"field": name, "message": message} for name, message in found]) from None


def whole_number(form: Form, name: str, labels: Mapping[str, str]) -> int:
    """Raises 422."""
    try:
        return int(form.text(name).replace(",", ""))
    except ValueError:
        raise wrong_field(name, "must be a whole number", labels) from None


def wrong_field(name: str, message: str, labels: Mapping[str, str]) -> InvalidError:
    refusal = invalid_fields([FieldError(name, message)], MOST_NAMED)
    refusal.detail = sentence(f"{labels.get(name, name)}: {message}")
    return refusal
