"""Reads the forms of the enrichment settings into the changes that the API's bodies make."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from pydantic import ValidationError

from clay_push_service.console.session.form import Form
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.schemas import EnrichmentUpdate
from clay_push_service.errors import InvalidError

LABELS: Final[Mapping[str, str]] = {
    "api_key": "API key",
    "requests_per_minute": "Requests per minute",
    "table_answer_minutes": "Minutes for a row of the Clay table",
    "credits_per_day": "Credits per day",
    "actions_per_day": "Actions per day",
    "time_zone": "Time zone",
    "routine_id": "Routine id",
    "inputs": "Inputs",
    "outputs": "Outputs",
    "credits": "Credits per lead",
    "actions": "Actions per lead",
    "id": "Webhook id",
    "secret": "Signing secret",
}


def read_update(form: Form) -> EnrichmentUpdate:
    """Key, pace and budget. An empty key is omitted, so the stored one stays; an empty limit removes it."""
    sent: dict[str, object] = {}
    if form.text("api_key"):
        sent["api_key"] = form.text("api_key")
    for name in ("requests_per_minute", "table_answer_minutes"):
        if form.text(name):
            sent[name] = _whole(name, form.text(name))
    if "credits_per_day" in form.fields:
        actions = form.text("actions_per_day")
        sent["budget"] = {
            "credits_per_day": _decimal("credits_per_day", form.text("credits_per_day")),
            "actions_per_day": _whole("actions_per_day", actions) if actions else None,
            "time_zone": form.text("time_zone") or "UTC",
        }
    return _validated(sent)


def read_routine(form: Form, kind: Kind) -> EnrichmentUpdate:
    """A routine, which replaces the stored one of this kind."""
    routine: dict[str, object] = {
        "routine_id": form.text("routine_id"),
        "inputs": read_map("inputs", form.text("inputs")),
        "outputs": read_map("outputs", form.text("outputs")),
    }
    for name in ("credits", "actions"):
        low, high = _decimal(name, form.text(f"{name}_low")), _decimal(name, form.text(f"{name}_high"))
        if low is not None or high is not None:
            routine[name] = {"low": low if low is not None else high, "high": high if high is not None else low}
    return _validated({"routines": {kind.value: routine}})


def read_run_webhook(form: Form) -> EnrichmentUpdate:
    if form.is_checked("remove"):
        return _validated({"run_webhook": None})
    return _validated({"run_webhook": {"id": form.text("id"), "secret": form.text("secret")}})


def without_routine(kind: Kind) -> EnrichmentUpdate:
    return _validated({"routines": {kind.value: None}})


def read_map(name: str, text: str) -> dict[str, str]:
    """Lines of `key = value`. Raises 422 for a line without both, or with a key of an earlier line."""
    found: dict[str, str] = {}
    for line in filter(None, (each.strip() for each in text.splitlines())):
        key, _, value = (part.strip() for part in line.partition("="))
        if not key or not value:
            raise _invalid(name, f"write each line as name = value: {line[:60]}")
        if key in found:
            raise _invalid(name, f"a name occurs twice: {key[:60]}")
        found[key] = value
    return found


def map_text(values: Mapping[str, str]) -> str:
    """The lines that `read_map` reads."""
    return "\n".join(f"{key} = {value}" for key, value in values.items())


def _validated(sent: dict[str, object]) -> EnrichmentUpdate:
    try:
        return EnrichmentUpdate.model_validate(sent)
    except ValidationError as error:
        found = [(_field_of(each["loc"]), each["msg"].removeprefix("Value error, ")) for each in error.errors()]
        raise InvalidError(
            " ".join(f"{LABELS.get(field, field)}: {message}." for field, message in found),
            errors=[{"field": field, "message": message} for field, message in found],
        ) from None


def _field_of(location: tuple[int | str, ...]) -> str:
    """The innermost name that a form has a label for."""
    return next((str(each) for each in reversed(location) if each in LABELS), str(location[0]))


def _whole(name: str, text: str) -> int:
    try:
        return int(text.replace(",", ""))
    except ValueError:
        raise _invalid(name, "must be a whole number") from None


def _decimal(name: str, text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "")) if text else None
    except InvalidOperation:
        raise _invalid(name, "must be a number") from None


def _invalid(name: str, message: str) -> InvalidError:
    return InvalidError(f"{LABELS[name]}: {message}.", errors=[{"field": name, "message": message}])
