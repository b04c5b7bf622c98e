"""Reads the columns from the form of the mapping editor, and applies its buttons to them. Pure; nothing is stored.

A column's steps are written as in a template, `trim : truncate(40)`, and its choices as `current_company | company`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from clay_push_service.console.pages.form_state import sentence
from clay_push_service.console.session.form import Form
from clay_push_service.errors import ClayPushError, InvalidError
from clay_push_service.leads.mapping.catalogue import find_field
from clay_push_service.leads.mapping.columns import MAX_COLUMNS, Column, Constant
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue

PARTS: Final = ("key", "source", "value", "steps", "type", "empty")
MOST_ROWS: Final = 2 * MAX_COLUMNS
"""More than 120 are refused by the check of the columns, with its message."""
_STEP: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^":])+')
_CHOICE: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"|])+')
_PLACE: Final = re.compile(r"columns\[(\d+)\](?:\.(\w+))?")
_ACTION: Final = re.compile(r"(up|down|remove)-(\d{1,3})")


class Source(StrEnum):
    """What a column is made from."""

    FIELD = "field"
    FIRST_OF = "first_of"
    TEMPLATE = "template"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Row:
    """One column as text."""

    key: str = ""
    source: str = Source.FIELD
    value: str = ""
    steps: str = ""
    type: str = ColumnType.TEXT
    empty: str = EmptyValue.NULL

    @property
    def is_blank(self) -> bool:
        return not self.key and not self.value

    @classmethod
    def of(cls, column: Column) -> Self:
        steps = " : ".join(column.steps)
        if column.field is not None:
            source, value = Source.FIELD, column.field
        elif column.template is not None:
            source, value = Source.TEMPLATE, column.template
        elif column.first_of:
            source, value = Source.FIRST_OF, " | ".join(column.first_of)
        else:
            source, value = Source.CONSTANT, _text_of(column.constant)
        return cls(column.key, source, value, steps, column.type, column.empty)

    def column(self) -> Column:
        """Raises ValueError for a choice that the selects do not have."""
        type_, empty, source = ColumnType(self.type), EmptyValue(self.empty), Source(self.source)
        steps = tuple(each.strip() for each in _STEP.findall(self.steps) if each.strip())
        return Column(
            self.key, self.value.strip() if source is Source.FIELD else None,
            _constant(self.value, type_) if source is Source.CONSTANT else None,
            self.value if source is Source.TEMPLATE else None,
            tuple(each.strip() for each in _CHOICE.findall(self.value)) if source is Source.FIRST_OF else (),
            steps, type_, empty,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EditedRows:
    """The rows after a button, and the row and button that get the focus; None: none."""

    rows: Sequence[Row]
    focus: tuple[int, str] | None = None


def rows_of(columns: Sequence[Column]) -> list[Row]:
    return [Row.of(each) for each in columns]


def read_rows(form: Form) -> list[Row]:
    """Reads the rows of the form without blank ones. Raises 422 if the form is not that of the editor."""
    lists = [[each.replace("\r\n", "\n") for each in form.fields.get(f"column_{part}", [])] for part in PARTS]
    if len({len(each) for each in lists}) != 1 or len(lists[0]) > MOST_ROWS:
        raise InvalidError("The columns of the form are not complete. Open the page again.")
    rows = [Row(key.strip(), *rest) for key, *rest in zip(*lists, strict=True)]
    return [row for row in rows if not row.is_blank]


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Raises 422."""
    try:
        return [row.column() for row in rows]
    except ValueError:
        raise InvalidError("The columns of the form are not complete. Open the page again.") from None


def change_rows(rows: Sequence[Row], action: str, field: str) -> EditedRows:
    """`add` adds a column of `field`, or an empty one; `up-2`, `down-2` and `remove-2` change the third. Others change nothing."""
    if action == "add":
        return EditedRows([*rows, _row_of_field(field, rows)], (len(rows), "key"))
    found = _ACTION.fullmatch(action)
    if found is None or not int(found[2]) < len(rows):
        return EditedRows(rows)
    at, changed = int(found[2]), list(rows)
    row = changed.pop(at)
    if found[1] == "remove":
        return EditedRows(changed, (min(at, len(changed) - 1), "remove") if changed else None)
    to = min(max(at + (-1 if found[1] == "up" else 1), 0), len(changed))
    changed.insert(to, row)
    return EditedRows(changed, (to, found[1]))


def row_errors(error: ClayPushError) -> Mapping[int, Mapping[str, str]]:
    """The errors of the editor's rows: row → part → sentence."""
    found: dict[int, dict[str, str]] = {}
    for each in error.errors:
        place = _PLACE.match(str(each.get("field", "")))
        if place is None:
            continue
        part = place[2] if place[2] in PARTS else "value"
        offset = each.get("offset")
        at = "" if offset is None else f"Character {int(offset) + 1}: "
        found.setdefault(int(place[1]), {}).setdefault(part, sentence(f"{at}{each['message']}"))
    return found


def _row_of_field(name: str, rows: Sequence[Row]) -> Row:
    field = find_field(name) if name else None
    if field is None:
        return Row()
    new_row = Row.of(Column(name.replace(".", "_"), field=name, type=field.type))
    keys = {row.key for row in rows}
    return replace(new_row, key="") if new_row.key in keys else new_row


def _constant(text: str, type_: ColumnType) -> Constant:
    if type_ is ColumnType.BOOLEAN and text.strip() in {"true", "false"}:
        return text.strip() == "true"
    if type_ is ColumnType.NUMBER:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return text


def _text_of(constant: Constant | None) -> str:
    if isinstance(constant, bool):
        return "true" if constant else "false"
    return "" if constant is None else str(constant)
