"""Bodies of Clay's public API: builds the body of a run, and reads responses in every known form. Pure.

Keys may have another case or blanks, numbers may be strings, items may be missing, and statuses may be new. The reader accepts
a response that contains the needed values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

MAX_ITEMS = 100
"""Items of one run (Clay's documentation)."""
MAX_ITEM_ID_CHARACTERS = 64
MAX_ID_CHARACTERS = 200
MAX_CURSOR_CHARACTERS = 2000
MAX_ERROR_CHARACTERS = 500
MAX_DEPTH = 32

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
Inputs = Mapping[str, str | int | float | bool | None]

_IGNORED = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class RunItem:
    """One lead of a run. This service chooses `id`, and Clay returns it with the result."""

    id: str
    inputs: Inputs

    def __repr__(self) -> str:
        return f"RunItem(id={self.id!r})"  # the inputs are a person's data


class ItemStatus(StrEnum):
    COMPLETE = "complete"
    FAILED = "failed"
    PENDING = "pending"
    """Also stands for every status that this release has no name for."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    id: str
    status: ItemStatus
    result: Mapping[str, Json]
    """Clay's own keys; empty unless the item is complete. See `fold` for comparing keys."""
    error: str | None = None
    """Clay's message about a failed item. It may contain data of the lead, so it must not be logged."""

    def __repr__(self) -> str:
        return f"ItemResult(id={self.id!r}, status={self.status.value!r})"


@dataclass(frozen=True, slots=True)
class ResultsPage:
    is_complete: bool
    """Whether Clay reports the whole run as complete. A stopped run may never become complete."""
    total: int | None
    finished: int | None
    items: Sequence[ItemResult]
    """Items may be missing, on every page: each item needs a deadline."""
    cursor: str | None
    """The cursor of the next page, or None on the last page."""


def fold(key: str) -> str:
    """The form in which keys are compared: lower case, without blanks, `_` and `-`."""
    return _IGNORED.sub("", key).casefold()


def run_body(items: Sequence[RunItem], webhook_id: str | None = None) -> bytes:
    """`webhook_id`: the webhook that Clay calls when the run has finished."""
    body: dict[str, object] = {"items": [{"id": item.id, "inputs": dict(item.inputs)} for item in items]}
    if webhook_id is not None:
        body["webhook_id"] = webhook_id
    return orjson.dumps(body)


def read_object(body: bytes) -> Mapping[str, Json] | None:
    """The JSON object in a body; None for anything else, including a body that was cut at the size limit."""
    try:
        found = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and _is_shallow(found) else None


def read_run_id(body: bytes) -> str | None:
    """Return the id of a started run, or None if the response has no id that can be used in a path."""
    found = read_object(body)
    return None if found is None else _identifier(_get(found, "routine_run_id", "run_id", "id"))


def read_results(status: int, body: bytes) -> ResultsPage | None:
    """One page of results. Status 202 means that the run is not complete, regardless of the body."""
    found = read_object(body)
    if found is None:
        return None
    data = _get(found, "data", "items", "results")
    items = [item for each in data if (item := _item(each)) is not None] if isinstance(data, list) else []
    run_status = _get(found, "status")
    return ResultsPage(
        is_complete=status == 200 and isinstance(run_status, str) and fold(run_status) in _COMPLETE,  # noqa: PLR2004
        total=_count(_get(found, "total")),
        finished=_count(_get(found, "finished")),
        items=items,
        cursor=_cursor(_get(found, "cursor", "next_cursor")),
    )


_COMPLETE = frozenset({"complete", "completed"})
_FAILED = frozenset({"failed", "error"})


def _item(value: Json) -> ItemResult | None:
    if not isinstance(value, dict):
        return None
    item_id = _get(value, "id", "item_id")
    if isinstance(item_id, int) and not isinstance(item_id, bool):
        item_id = str(item_id)
    if not isinstance(item_id, str) or not 0 < len(item_id) <= MAX_ITEM_ID_CHARACTERS:
        return None
    written = _get(value, "status")
    status = fold(written) if isinstance(written, str) else ""
    if status in _COMPLETE:
        result = _get(value, "result", "output", "outputs")
        return ItemResult(item_id, ItemStatus.COMPLETE, result if isinstance(result, dict) else {})
    if status in _FAILED:
        return ItemResult(item_id, ItemStatus.FAILED, {}, _error(_get(value, "error", "message")))
    return ItemResult(item_id, ItemStatus.PENDING, {})


def _get(found: Mapping[str, Json], *names: str) -> Json:
    """Return the first value that is not null, in the order of `names`. Keys are compared with `fold`."""
    folded: dict[str, Json] = {}
    for key, value in found.items():
        if value is not None and value != "":
            folded.setdefault(fold(key), value)
    return next((folded[name] for name in map(fold, names) if name in folded), None)


def _identifier(value: Json) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS or value in {".", ".."}:
        return None
    return value if value.isascii() and value.isprintable() and " " not in value else None


def _cursor(value: Json) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= MAX_CURSOR_CHARACTERS else None


def _count(value: Json) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004 - far more than MAX_ITEMS
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _error(value: Json) -> str | None:
    if isinstance(value, dict):
        value = _get(value, "message", "error", "detail")
    return value[:MAX_ERROR_CHARACTERS] if isinstance(value, str) and value else None


def _is_shallow(value: Json, depth: int = MAX_DEPTH) -> bool:
    if depth == 0:
        return not isinstance(value, dict | list)
    if isinstance(value, dict):
        return all(_is_shallow(each, depth - 1) for each in value.values())
    return not isinstance(value, list) or all(_is_shallow(each, depth - 1) for each in value)
