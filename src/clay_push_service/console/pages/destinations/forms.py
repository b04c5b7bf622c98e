"""Reads the forms of destinations and workspaces into the bodies of the API. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from clay_push_service.console.pages.form_state import FormState, validated, whole_number
from clay_push_service.console.session.form import Form
from clay_push_service.destination_settings.named.schemas import (
    DestinationBody,
    DestinationUpdate,
    NamedDestination,
)
from clay_push_service.destination_settings.named.store import KEEPS_ONE
from clay_push_service.destination_settings.named.workspace_schemas import WorkspaceBody, WorkspaceUpdate
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS
from clay_push_service.states import DuplicateHandling

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "Name",
        "webhook_url": "Webhook URL",
        "webhook_token": "Auth token",
        "workspace_id": "Workspace",
        "dedupe": "Duplicates",
        "dedupe_column": "Column of duplicates",
        "quota_used": "Submissions used",
        "quota_limit": "Submissions in all",
        "rate_limit_ms": "Delay between two leads",
    }
)
SECRET: Final = ("webhook_url", "webhook_token")
DEDUPE_TEXTS: Final[Mapping[DuplicateHandling, str]] = MappingProxyType(
    {
        DuplicateHandling.UNKNOWN: "Not known yet",
        DuplicateHandling.NONE: "Keeps every row",
        DuplicateHandling.KEEPS_OLDEST: "Drops a second row",
        DuplicateHandling.KEEPS_NEWEST: "Replaces the first row",
    }
)
"""What the table does with a second row of the same lead."""


def new_state() -> FormState:
    return FormState({"dedupe": DuplicateHandling.UNKNOWN, "test": "1"})


def state_of(destination: NamedDestination) -> FormState:
    """The stored values. The URL and the token are never shown; the quota's fields change something only if they are filled."""
    return FormState(
        {
            "name": destination.name,
            "workspace_id": str(destination.workspace.id),
            "dedupe": destination.dedupe,
            "dedupe_column": destination.dedupe_column or "",
        }
    )


def read_body(form: Form) -> DestinationBody:
    """Raises 422 with the name of each wrong field."""
    return validated(DestinationBody, {"name": form.text("name"), **_sent(form)}, LABELS)


def read_update(form: Form) -> DestinationUpdate:
    """An empty URL or token is unchanged. Raises 422 with the name of each wrong field."""
    sent = {"name": form.text("name"), **_sent(form)}
    if form.is_checked("remove_token"):
        sent["webhook_token"] = None
    if form.is_checked("new_table"):
        sent["new_table"] = True
    if sent["dedupe"] not in KEEPS_ONE:
        sent["dedupe_column"] = None
    return validated(DestinationUpdate, sent, LABELS)


def _sent(form: Form) -> dict[str, object]:
    sent: dict[str, object] = {"dedupe": form.text("dedupe") or DuplicateHandling.UNKNOWN}
    for name in (*SECRET, "workspace_id"):
        if form.text(name):
            sent[name] = form.text(name)
    if sent["dedupe"] in KEEPS_ONE and form.text("dedupe_column"):
        sent["dedupe_column"] = form.text("dedupe_column")
    for name in ("quota_used", "quota_limit"):
        if form.text(name):
            sent[name] = whole_number(form, name, LABELS)
    if form.is_checked("no_limit"):
        sent["quota_limit"] = None
    return sent


def read_workspace(form: Form) -> WorkspaceBody:
    return validated(WorkspaceBody, _workspace(form), LABELS)


def read_workspace_update(form: Form) -> WorkspaceUpdate:
    return validated(WorkspaceUpdate, _workspace(form), LABELS)


def _workspace(form: Form) -> dict[str, object]:
    rate = whole_number(form, "rate_limit_ms", LABELS) if form.text("rate_limit_ms") else DEFAULT_RATE_LIMIT_MS
    return {"name": form.text("name"), "rate_limit_ms": rate}


def pace_text(rate_limit_ms: int) -> str:
    """Such as `5 leads/s, 18,000 an hour`."""
    if rate_limit_ms <= 0:
        return "no pace"
    per_second = 1000 / rate_limit_ms
    number = f"{per_second:,.0f}" if per_second.is_integer() else f"{per_second:,.1f}"
    return f"{number} leads/s, {3_600_000 // rate_limit_ms:,} an hour"
