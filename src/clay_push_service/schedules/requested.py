"""Turns the body of a request into the values of a schedule, and names the field that is wrong. Pure: the time is an argument."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Final

from clay_push_service.errors import FieldError, invalid_fields
from clay_push_service.near_match import near_match
from clay_push_service.schedules.cron import CronError, check_cron
from clay_push_service.schedules.schedule import ScheduleValues
from clay_push_service.schedules.schemas import ScheduleBody
from clay_push_service.schedules.timing import (
    CronTiming,
    DailyTiming,
    IntervalTiming,
    MonthlyTiming,
    Timing,
    TimingKind,
    Weekday,
    WeeklyTiming,
)
from clay_push_service.schedules.zones import zone_names

FIELDS: Final[Mapping[TimingKind, frozenset[str]]] = {
    TimingKind.INTERVAL: frozenset({"every_minutes", "anchor"}),
    TimingKind.DAILY: frozenset({"at"}),
    TimingKind.WEEKLY: frozenset({"days", "at"}),
    TimingKind.MONTHLY: frozenset({"day", "at"}),
    TimingKind.CRON: frozenset({"cron"}),
}
OPTIONAL: Final = frozenset({"anchor"})
LAST_SAFE_DAY: Final = 28
MAX_ERRORS: Final = 20


def requested_values(body: ScheduleBody, now: datetime, anchor: datetime | None = None) -> ScheduleValues:
    """`anchor`: of the schedule that is replaced. Raises 422 with the fields that are wrong."""
    errors = [*_wrong_fields(body), *_wrong_zone(body.time_zone), *_wrong_cron(body.cron), *_two_selections(body)]
    if errors:
        raise invalid_fields(errors, MAX_ERRORS)
    return ScheduleValues(
        body.name, body.project_id, body.destination_id, _timing(body, anchor or now.replace(second=0, microsecond=0)),
        body.time_zone, body.filters, body.mode, body.max_leads, timedelta(seconds=body.catch_up_seconds), body.pause_after,
        body.segment_id,
    )  # fmt: skip


def _wrong_fields(body: ScheduleBody) -> list[FieldError]:
    used_fields = FIELDS[body.kind]
    found = []
    for name in sorted(frozenset().union(*FIELDS.values())):
        is_set = getattr(body, name) is not None
        if is_set and name not in used_fields:
            found.append(FieldError(name, f"is not used with kind `{body.kind.value}`"))
        elif not is_set and name in used_fields - OPTIONAL:
            found.append(FieldError(name, f"is required with kind `{body.kind.value}`"))
    if isinstance(body.day, int) and not 1 <= body.day <= LAST_SAFE_DAY:
        found.append(FieldError("day", f"must be from 1 to {LAST_SAFE_DAY}, which every month has, or `last`"))
    return found


def _two_selections(body: ScheduleBody) -> list[FieldError]:
    if body.segment_id is None or body.filters.is_empty:
        return []
    return [FieldError("segment_id", "is not possible with filters: send one of the two")]


def _wrong_zone(name: str) -> list[FieldError]:
    if name in zone_names():
        return []
    return [FieldError("time_zone", "is not an IANA time zone, such as Europe/Berlin", near_match(name, zone_names()))]


def _wrong_cron(expression: str | None) -> list[FieldError]:
    if expression is None:
        return []
    try:
        check_cron(expression)
    except CronError as error:
        return [FieldError("cron", str(error))]
    return []


def _timing(body: ScheduleBody, anchor: datetime) -> Timing:
    """The fields of the kind are present: see `_wrong_fields`."""
    at = time() if body.at is None else time.fromisoformat(body.at)
    match body.kind:
        case TimingKind.INTERVAL:
            return IntervalTiming(body.every_minutes or 0, body.anchor or anchor)
        case TimingKind.DAILY:
            return DailyTiming(at)
        case TimingKind.WEEKLY:
            return WeeklyTiming(tuple(day for day in Weekday if day in (body.days or ())), at)
        case TimingKind.MONTHLY:
            return MonthlyTiming(body.day or "last", at)
        case TimingKind.CRON:
            return CronTiming(check_cron(body.cron or ""))
