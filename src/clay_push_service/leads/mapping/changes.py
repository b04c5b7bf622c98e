"""What a new version of a mapping changes in Clay: columns to map there, columns that stay and become empty, other types."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from clay_push_service.leads.mapping.columns import Column


class ColumnChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    TYPE_CHANGED = "type_changed"
    VALUE_CHANGED = "value_changed"


class ColumnChange(NamedTuple):
    """One change. `before`: the former key or type."""

    kind: ColumnChangeKind
    key: str
    message: str
    before: str | None = None


def changes_between(before: Sequence[Column], after: Sequence[Column]) -> list[ColumnChange]:
    """Returns the changes in the order of the new columns, removed columns last. The order of columns has no effect in Clay."""
    old, new = {each.key: each for each in before}, {each.key: each for each in after}
    removed = [each for each in before if each.key not in new]
    found = []
    for column in after:
        old_column = old.get(column.key)
        if old_column is None:
            former = next((each for each in removed if _content(each) == _content(column)), None)
            if former is None:
                found.append(_added(column.key))
            else:
                removed.remove(former)
                found.append(_renamed(former.key, column.key))
        elif old_column.type is not column.type:
            found.append(_retyped(column, old_column))
        elif _content(old_column) != _content(column):
            found.append(
                ColumnChange(
                    ColumnChangeKind.VALUE_CHANGED, column.key,
                    "The same column gets other values from now on. Rows that are in Clay keep theirs.",
                )
            )  # fmt: skip
    return [*found, *(_removed(each.key) for each in removed)]


def _content(column: Column) -> tuple[object, ...]:
    """Returns everything of a column except its key."""
    constant = column.constant
    return (
        column.field, type(constant), constant, column.template, tuple(column.first_of), tuple(column.steps), column.type,
        column.empty,
    )  # fmt: skip


def _added(key: str) -> ColumnChange:
    message = f"Open the Clay table and map `{key}` to a column there: Clay does not create the column by itself."
    return ColumnChange(ColumnChangeKind.ADDED, key, message)


def _removed(key: str) -> ColumnChange:
    message = "Its column stays in Clay. It is empty in new rows from now on; hide or delete it there."
    return ColumnChange(ColumnChangeKind.REMOVED, key, message)


def _renamed(before: str, key: str) -> ColumnChange:
    message = (
        f"Clay does not rename columns. Map `{key}` to a column there; the column of `{before}` stays, and is empty in new"
        " rows from now on."
    )
    return ColumnChange(ColumnChangeKind.RENAMED, key, message, before)


def _retyped(column: Column, old_column: Column) -> ColumnChange:
    message = (
        f"The type changes from {old_column.type} to {column.type}. Change the type of the column in Clay; a table can remove"
        " duplicates only by a text, e-mail or URL column."
    )
    return ColumnChange(ColumnChangeKind.TYPE_CHANGED, column.key, message, old_column.type.value)


def unchanged_notes(number: int | None) -> list[str]:
    """Returns sentences about what a new version does not change. `number`: the previous version; None: the standard payload."""
    before = "the standard payload" if number is None else f"version {number}"
    return [
        "Rows that are in Clay already stay as they are.",
        "No lead counts as changed because of this: leads are compared under the version that was sent.",
        f"Push jobs that were accepted before keep {before}, also when they are retried.",
    ]
