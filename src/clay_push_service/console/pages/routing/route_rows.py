"""Reads the rows from the form of the routes page, and applies its buttons to them. Pure; nothing is stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from pydantic import ValidationError

from clay_push_service.console.pages.form_state import sentence
from clay_push_service.console.session.form import Form
from clay_push_service.errors import ClayPushError, InvalidError
from clay_push_service.routing.route_schemas import RoutesBody, RouteView
from clay_push_service.routing.routes import MAX_ROUTES

PARTS: Final = ("id", "segment_id", "destination_id", "continue", "on_move")
_ACTION: Final = re.compile(r"(up|down|remove)-(\d{1,3})")
_PLACE: Final = re.compile(r"routes\.(\d+)")


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Empty segment: every lead. Empty destination: do not push."""

    id: str = ""
    segment_id: str = ""
    destination_id: str = ""
    continues: str = ""
    on_move: str = "stay"

    @classmethod
    def of(cls, route: RouteView) -> Self:
        return cls(
            str(route.id), str(route.segment_id or ""), str(route.destination_id or ""), "yes" if route.continues else "",
            route.on_move,
        )  # fmt: skip

    @property
    def body(self) -> Mapping[str, object]:
        return {
            "id": self.id or None, "segment_id": self.segment_id or None, "destination_id": self.destination_id or None,
            "continue": bool(self.continues), "on_move": self.on_move,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class EditedRoutes:
    """The rows after a button, and the row and button that get the focus; None: none."""

    rows: Sequence[RouteRow]
    focus: tuple[int, str] | None = None


def read_route_rows(form: Form) -> list[RouteRow]:
    """Raises 422 if the form is not that of the page."""
    lists = [form.texts(f"route_{part}") for part in PARTS]
    if len({len(each) for each in lists}) != 1 or len(lists[0]) > MAX_ROUTES:
        raise InvalidError("The routes of the form are not complete. Open the page again.")
    return [RouteRow(*parts) for parts in zip(*lists, strict=True)]


def change_route_rows(rows: Sequence[RouteRow], action: str, default_id: UUID | None) -> EditedRoutes:
    """`add` adds a route of every lead to the default destination; `up-1`, `down-1` and `remove-1` change the second."""
    if action == "add":
        return EditedRoutes([*rows, RouteRow(destination_id=str(default_id or ""))], (len(rows), "segment_id"))
    found = _ACTION.fullmatch(action)
    if found is None or not int(found[2]) < len(rows):
        return EditedRoutes(rows)
    at, changed = int(found[2]), list(rows)
    row = changed.pop(at)
    if found[1] == "remove":
        return EditedRoutes(changed, (min(at, len(changed) - 1), "remove") if changed else None)
    to = min(max(at + (-1 if found[1] == "up" else 1), 0), len(changed))
    changed.insert(to, row)
    return EditedRoutes(changed, (to, found[1]))


def routes_body(project_id: UUID | None, version: str, rows: Sequence[RouteRow]) -> RoutesBody:
    """Raises 422 with the place of each wrong row."""
    sent = {"project_id": project_id, "version": version, "routes": [row.body for row in rows]}
    try:
        return RoutesBody.model_validate(sent)
    except ValidationError as error:
        found = [
            {
                "field": ".".join(str(part) for part in each["loc"]),
                "message": each["msg"].removeprefix("Value error, "),
            }
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise InvalidError(sentence(found[0]["message"]), errors=found) from None


def route_errors(error: ClayPushError) -> Mapping[int, str]:
    """The sentence of each wrong row."""
    found: dict[int, str] = {}
    for each in error.errors:
        place = _PLACE.match(str(each["field"]))
        if place is not None:
            found.setdefault(int(place[1]), sentence(str(each["message"])))
    return found
