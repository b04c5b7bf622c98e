"""Routes of schedules: list, new, change, preview, run now, pause, resume, delete."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.filter_fields import ENRICHMENT_TEXTS, FILTER_LABELS, filter_words
from clay_push_service.console.pages.form_state import FormState, raise_unless_shown
from clay_push_service.console.pages.page import ConfigPage, Page, PushPage, ReadPage
from clay_push_service.console.pages.schedules.forms import (
    ACTIVE,
    CATCH_UP_TEXTS,
    KIND_TEXTS,
    LABELS,
    MODE_TEXTS,
    PAUSE_TEXTS,
    PAUSED,
    local_moment,
    new_schedule_state,
    outcome_pill,
    read_schedule,
    schedule_state,
)
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.destinations.read import destination_views
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.host.projects import list_projects
from clay_push_service.pagination import Cursor
from clay_push_service.routing.segments import list_segments
from clay_push_service.schedules import service as schedules
from clay_push_service.schedules.plan import ScheduleOutcome
from clay_push_service.schedules.preview import preview_values
from clay_push_service.schedules.runs import read_runs
from clay_push_service.schedules.schemas import SchedulePreview, ScheduleRunView, ScheduleView
from clay_push_service.schedules.table import require_schedule
from clay_push_service.schedules.timing import LEAST_MINUTES, Weekday
from clay_push_service.schedules.zones import zone_names

PAGE_URL: Final = "/console/schedules"
SECTION: Final = "schedules"
RUNS_IN_A_PAGE: Final = 20
COSTLY = [Depends(RouteLimits(lane=Lane.COSTLY))]

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_schedules_page(page: ReadPage) -> Response:
    return await page.render(
        "schedules/list.html", section=SECTION, title="Schedules",
        schedules=await schedules.view_all(page.connection, page.caller.org_id), names=await _names(page),
        active=ACTIVE, paused=PAUSED, outcome_pill=outcome_pill, local_moment=local_moment,
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.get("/new")
async def new_schedule_page(page: ConfigPage) -> Response:
    projects = await list_projects(page.connection, page.tables, page.caller.org_id)
    return await _show_form(page, new_schedule_state(str(projects[0].id) if projects else ""))


@router.post("", dependencies=COSTLY)
async def create_schedule_page(page: ConfigPage, form: Posted) -> Response:
    """Save it, or preview it first."""
    try:
        body = read_schedule(form)
        if form.text("action") == "preview":
            preview = await preview_values(page.service, await schedules.read_values(page.service, body))
            return await _show_form(page, FormState({name: form.text(name) for name in form.fields}), preview=preview)
        async with page.connection.begin_nested():
            schedule = await schedules.create(page.service, body)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        return await _show_form(page, FormState.refused(form, error, fields=LABELS), code=error.status)
    return page.redirect(f"{PAGE_URL}/{schedule.id}", f"The schedule “{schedule.name}” is saved: {schedule.words}.")


@router.get("/{schedule_id}", dependencies=COSTLY)
async def read_schedule_page(
    page: ReadPage, schedule_id: UUID, preview: bool = False, count: bool = False, after: Cursor = None
) -> Response:
    """Shows one schedule in words, with its next five runs and its history.

    `preview` adds what a run would do now, which the page loads after itself; with `count`, the answer contains it.
    """
    org_id = page.caller.org_id
    view = await schedules.view_one(page.connection, org_id, schedule_id)
    previewed = None
    if preview and count:
        stored = await require_schedule(page.connection, org_id, schedule_id)
        previewed = await preview_values(page.service, stored.values, stored)
    runs, next_cursor = await read_runs(page.connection, org_id, schedule_id, after, RUNS_IN_A_PAGE)
    return await page.render(
        "schedules/schedule.html", section=SECTION, title=view.name, schedule=view, preview=previewed, preview_later=preview,
        runs=[ScheduleRunView.of(each) for each in runs], next_cursor=next_cursor, after=after, names=await _names(page),
        active=ACTIVE, paused=PAUSED, pause_texts=PAUSE_TEXTS, outcome_pill=outcome_pill, local_moment=local_moment,
        filter_words=filter_words, mode_texts=MODE_TEXTS, may_configure=Scope.CONFIG in page.caller.scopes,
        may_push=Scope.PUSH in page.caller.scopes,
    )  # fmt: skip


@router.get("/{schedule_id}/edit")
async def edit_schedule_page(page: ConfigPage, schedule_id: UUID) -> Response:
    view = await schedules.view_one(page.connection, page.caller.org_id, schedule_id)
    return await _show_form(page, schedule_state(view), view)


@router.post("/{schedule_id}", dependencies=COSTLY)
async def change_schedule_page(page: ConfigPage, schedule_id: UUID, form: Posted) -> Response:
    view = await schedules.view_one(page.connection, page.caller.org_id, schedule_id)
    try:
        body = read_schedule(form)
        if form.text("action") == "preview":
            stored = await require_schedule(page.connection, page.caller.org_id, schedule_id)
            values = await schedules.read_values(page.service, body, stored)
            preview = await preview_values(page.service, values, stored)
            typed = FormState({name: form.text(name) for name in form.fields})
            return await _show_form(page, typed, view, preview)
        async with page.connection.begin_nested():
            schedule = await schedules.replace(page.service, schedule_id, body)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        return await _show_form(page, FormState.refused(form, error, fields=LABELS), view, code=error.status)
    return page.redirect(f"{PAGE_URL}/{schedule_id}", f"The schedule is saved: {schedule.words}.")


@router.post("/{schedule_id}/run", dependencies=COSTLY)
async def run_schedule_page(page: PushPage, schedule_id: UUID, form: Posted) -> Response:
    del form
    run = await schedules.run_now(page.service, schedule_id)
    is_done = run.outcome in {ScheduleOutcome.QUEUED, ScheduleOutcome.NOTHING_NEW}
    return page.redirect(f"{PAGE_URL}/{schedule_id}", run.message, kind="done" if is_done else "problem")


@router.post("/{schedule_id}/pause")
async def pause_schedule_page(page: ConfigPage, schedule_id: UUID, form: Posted) -> Response:
    del form
    await schedules.pause(page.connection, page.actor, schedule_id)
    return page.redirect(f"{PAGE_URL}/{schedule_id}", "The schedule is paused. A push that is running goes on.")


@router.post("/{schedule_id}/resume")
async def resume_schedule_page(page: ConfigPage, schedule_id: UUID, form: Posted) -> Response:
    del form
    await schedules.resume(page.connection, page.actor, schedule_id)
    return page.redirect(f"{PAGE_URL}/{schedule_id}", "The schedule runs again from its next due time on.")


@router.post("/{schedule_id}/delete")
async def delete_schedule_page(page: ConfigPage, schedule_id: UUID, form: Posted) -> Response:
    del form
    await schedules.delete(page.connection, page.actor, schedule_id)
    return page.redirect(PAGE_URL, "The schedule is deleted with its history. Its push jobs stay.")


class Names(NamedTuple):
    """Names of projects and destinations, by id."""

    projects: Mapping[UUID, str | None]
    destinations: Mapping[UUID, str]


async def _names(page: Page) -> Names:
    projects = await list_projects(page.connection, page.tables, page.caller.org_id)
    destinations = await destination_views(page.connection, page.caller.org_id, archived=True)
    return Names({each.id: each.name for each in projects}, {each.id: each.name for each in destinations})


async def _segment_choices(page: Page) -> list[tuple[str, str]]:
    segments = await list_segments(page.connection, page.caller.org_id)
    return [("", "none: the filters below"), *((str(each.id), each.name) for each in segments)]


async def _show_form(
    page: Page,
    state: FormState,
    schedule: ScheduleView | None = None,
    preview: SchedulePreview | None = None,
    code: int = 200,
) -> Response:
    return await page.render(
        "schedules/form.html", section=SECTION, title="Add a schedule" if schedule is None else f"Change {schedule.name}",
        code=code, state=state, schedule=schedule, preview=preview, labels=FILTER_LABELS, enrichment_texts=ENRICHMENT_TEXTS,
        kind_texts=KIND_TEXTS, mode_texts=MODE_TEXTS, catch_up_texts=CATCH_UP_TEXTS, weekdays=list(Weekday),
        least_minutes=LEAST_MINUTES, zones=sorted(zone_names()), outcome_pill=outcome_pill, local_moment=local_moment,
        projects=await list_projects(page.connection, page.tables, page.caller.org_id),
        destinations=await destination_views(page.connection, page.caller.org_id),
        segment_choices=await _segment_choices(page),
        action=PAGE_URL if schedule is None else f"{PAGE_URL}/{schedule.id}",
    )  # fmt: skip
