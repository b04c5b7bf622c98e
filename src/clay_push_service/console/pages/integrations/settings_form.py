"""Reads the form of Clay's settings into the change that the API's body makes."""

from typing import Final

from pydantic import ValidationError

from clay_push_service.console.session.form import Form
from clay_push_service.destination_settings.schemas import ConfigUpdate
from clay_push_service.errors import InvalidError

LABELS: Final = {
    "webhook_url": "Webhook URL",
    "webhook_token": "Auth token",
    "table_name": "Table name",
    "rate_limit_ms": "Delay between two leads",
    "quota_used": "Submissions used",
    "quota_limit": "Submissions in all",
}


def read_update(form: Form) -> ConfigUpdate:
    """An empty field is omitted, so it stays unchanged. Raises 422 with the name of each wrong field."""
    sent: dict[str, object] = {}
    for name in ("webhook_url", "webhook_token"):
        if form.text(name):
            sent[name] = form.text(name)
    if "table_name" in form.fields:
        sent["table_name"] = form.text("table_name")
    for name in ("rate_limit_ms", "quota_used", "quota_limit"):
        if form.text(name):
            sent[name] = _whole(name, form.text(name))
    if form.is_checked("remove_token"):
        sent["webhook_token"] = None
    if form.is_checked("no_limit"):
        sent["quota_limit"] = None
    if form.is_checked("new_table"):
        sent["new_table"] = True
    try:
        return ConfigUpdate.model_validate(sent)
    except ValidationError as error:
        found = [(str(each["loc"][0]), each["msg"].removeprefix("Value error, ")) for each in error.errors()]
        raise InvalidError(
            " ".join(f"{LABELS.get(field, field)}: {message}." for field, message in found),
            errors=[{"field": field, "message": message} for field, message in found],
        ) from None


def _whole(name: str, text: str) -> int:
    try:
        return int(text.replace(",", ""))
    except ValueError:
        message = f"{LABELS[name]}: must be a whole number."
        raise InvalidError(message, errors=[{"field": name, "message": "must be a whole number"}]) from None
