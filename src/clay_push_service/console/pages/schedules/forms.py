"""Reads the form of a schedule into the body of the API, and describes times and outcomes. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from clay_push_service.console.pages.filter_fields import FILTER_LABELS, filter_values, read_filter_fields
from clay_push_service.console.pages.form_state import FormState, validated, whole_number
from clay_push_service.console.pages.jobs.sentence import Pill
from clay_push_service.console.session.form import Form
from clay_push_service.schedules.plan import FAILURES, ScheduleOutcome
from clay_push_service.schedules.requested import FIELDS
from clay_push_service.schedules.schedule import PauseReason
from clay_push_service.schedules.schemas import ScheduleBody, ScheduleView
from clay_push_service.schedules.timing import TimingKind, Weekday
from clay_push_service.states import SyncedLeads

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "Name",
        "project_id": "Project",
        "destination_id": "Destination",
        "segment_id": "Segment",
        "kind": "How often",
        "at": "Time of day",
        "days": "Days",
        "day": "Day of the month",
        "every_minutes": "Minutes between two runs",
        "cron": "Cron expression",
        "time_zone": "Time zone",
        "mode": "Leads",
        "max_leads": "Most leads of one run",
        "catch_up_seconds": "Catch up",
        "pause_after": "Pause after",
        **FILTER_LABELS,
    }
)
KIND_TEXTS: Final[Mapping[TimingKind, str]] = MappingProxyType(
    {
        TimingKind.DAILY: "Every day",
        TimingKind.WEEKLY: "On days of the week",
        TimingKind.MONTHLY: "Once a month",
        TimingKind.INTERVAL: "In an interval",
        TimingKind.CRON: "By a cron expression",
    }
)
MODE_TEXTS: Final[Mapping[SyncedLeads, str]] = MappingProxyType(
    {
        SyncedLeads.NEW: "New leads only",
        SyncedLeads.NEW_AND_CHANGED: "New leads, and changed ones again (another row, billed again)",
    }
)
CATCH_UP_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "0": "Never: record the run as missed",
        "3600": "Up to 1 hour late",
        "21600": "Up to 6 hours late",
        "86400": "Up to a day late",
    }
)
PAUSE_TEXTS: Final[Mapping[PauseReason, str]] = MappingProxyType(
    {
        PauseReason.USER: "A user paused it.",
        PauseReason.FAILURES: "It was paused after several failed runs in a row. Remove the cause, then resume it.",
        PauseReason.ERASURE: "An erasure removed a condition that named an erased lead. Check the filters, then resume it.",
    }
)
ACTIVE: Final = Pill("Active", "good", "circle-check")
PAUSED: Final = Pill("Paused", "wait", "pause")
_OUTCOMES: Final[Mapping[ScheduleOutcome, Pill]] = MappingProxyType(
    {
        ScheduleOutcome.QUEUED: Pill("Pushed", "good", "send"),
        ScheduleOutcome.NOTHING_NEW: Pill("Nothing new", "none", "circle-check"),
        ScheduleOutcome.OVERLAP: Pill("Still running", "wait", "loader"),
        ScheduleOutcome.MISSED: Pill("Missed", "wait", "clock"),
        ScheduleOutcome.PAUSED: Pill("Paused", "wait", "pause"),
    }
)


def outcome_pill(outcome: ScheduleOutcome) -> Pill:
    if outcome in FAILURES:
        return Pill("Not possible", "bad", "circle-x")
    return _OUTCOMES[outcome]


def local_moment(value: datetime) -> str:
    """Such as `Tue 1 Dec 2026, 09:00 (UTC+01:00)`."""
    offset = f"{value:%z}"
    return f"{value:%a} {value.day} {value:%b %Y, %H:%M} (UTC{offset[:3]}:{offset[3:5]})"


def new_schedule_state(project_id: str) -> FormState:
    return FormState(
        {
            "project_id": project_id, "kind": TimingKind.DAILY, "at": "09:00", "day": "1", "every_minutes": "360", "time_zone": "UTC",
            "mode": SyncedLeads.NEW, "catch_up_seconds": "3600", "pause_after": "3",
            **{f"days_{day.value}": "1" for day in Weekday if day not in {Weekday.SATURDAY, Weekday.SUNDAY}},
        }
    )  # fmt: skip


def schedule_state(view: ScheduleView) -> FormState:
    values = new_schedule_state(str(view.project_id)).values
    days = {f"days_{day.value}": "1" for day in view.days} if view.days is not None else {}
    kept = {name: value for name, value in values.items() if not (days and name.startswith("days_"))}
    set_values = {
        "name": view.name, "destination_id": str(view.destination_id or ""), "segment_id": str(view.segment_id or ""), "kind": view.kind, "at": view.at or "",
        "day": "" if view.day is None else str(view.day), "cron": view.cron or "", "time_zone": view.time_zone,
        "every_minutes": "" if view.every_minutes is None else str(view.every_minutes), "mode": view.mode,
        "max_leads": "" if view.max_leads is None else str(view.max_leads),
        "catch_up_seconds": str(view.catch_up_seconds), "pause_after": str(view.pause_after),
    }  # fmt: skip
    return FormState(
        kept | days | {name: value for name, value in set_values.items() if value} | filter_values(view.filters)
    )


def read_schedule(form: Form) -> ScheduleBody:
    """Reads the fields of the chosen kind only. Raises 422 with each wrong field."""
    kind = form.choice("kind", TimingKind)
    sent: dict[str, object] = {"kind": kind, "filters": read_filter_fields(form).model_dump(mode="json")}
    for name in ("name", "project_id", "destination_id", "segment_id", "time_zone", "mode"):
        if form.text(name):
            sent[name] = form.text(name)
    for name in ("max_leads", "catch_up_seconds", "pause_after"):
        if form.text(name):
            sent[name] = whole_number(form, name, LABELS)
    used = FIELDS[kind]
    for name in used & {"at", "cron"}:
        if form.text(name):
            sent[name] = form.text(name)
    if "every_minutes" in used and form.text("every_minutes"):
        sent["every_minutes"] = whole_number(form, "every_minutes", LABELS)
    if "day" in used and form.text("day"):
        sent["day"] = "last" if form.text("day") == "last" else whole_number(form, "day", LABELS)
    if "days" in used:
        sent["days"] = [day for day in Weekday if form.is_checked(f"days_{day.value}")] or None
    return validated(ScheduleBody, sent, LABELS)
