"""The columns of a mapping as they are stored, and their check: all problems with their places, in one pass."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from clay_push_service.leads.mapping.catalogue import CUSTOM, FieldOrigin, MappableField
from clay_push_service.leads.mapping.problem import MappingProblem, MappingSyntaxError
from clay_push_service.leads.mapping.steps import Step
from clay_push_service.leads.mapping.syntax import (
    MAX_CHOICES,
    MAX_STEPS,
    MAX_TEMPLATE,
    Choice,
    Placeholder,
    check_text,
    parse_choice,
    parse_field,
    parse_step,
    parse_template,
    unknown_field,
)
from clay_push_service.leads.mapping.values import TEXTS, ColumnType, EmptyValue

MAX_COLUMNS = 120
MAX_KEY = 100
"""Most characters of a key."""
MAX_WORK = 600
"""Most steps and placeholders of a whole mapping. It bounds the time per lead."""
MAX_PROBLEMS = 20
META_KEY = "_meta"
Constant = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Column:
    """One column: exactly one of `field`, `constant`, `template` and `first_of` is set."""

    key: str
    field: str | None = None
    constant: Constant | None = None
    template: str | None = None
    first_of: Sequence[str] = ()
    steps: Sequence[str] = ()
    type: ColumnType = ColumnType.TEXT
    empty: EmptyValue = EmptyValue.NULL

    def as_json(self) -> dict[str, Any]:
        """Returns the fields that are set."""
        written: dict[str, Any] = {"key": self.key}
        for name in ("field", "constant", "template"):
            if getattr(self, name) is not None:
                written[name] = getattr(self, name)
        for name in ("first_of", "steps"):
            if getattr(self, name):
                written[name] = list(getattr(self, name))
        return {**written, "type": self.type.value, "empty": self.empty.value}

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> Self:
        return cls(
            written["key"], written.get("field"), written.get("constant"), written.get("template"),
            tuple(written.get("first_of", ())), tuple(written.get("steps", ())), ColumnType(written["type"]),
            EmptyValue(written["empty"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """`source`: a field, a constant, the parts of a template, or the choices of `first_of`."""

    key: str
    source: MappableField | Constant | tuple[str | Placeholder, ...] | Placeholder
    steps: Sequence[Step]
    type: ColumnType
    empty: EmptyValue

    @property
    def fields(self) -> list[MappableField]:
        """All fields that the column is made from."""
        if isinstance(self.source, MappableField):
            return [self.source]
        if isinstance(self.source, tuple):
            placeholders = [part for part in self.source if isinstance(part, Placeholder)]
        else:
            placeholders = [self.source] if isinstance(self.source, Placeholder) else []
        return [choice.field for each in placeholders for choice in each.choices if choice.field is not None]

    @property
    def work(self) -> int:
        if isinstance(self.source, Placeholder):
            return len(self.steps) + _work_of([self.source])
        return len(self.steps) + (_work_of(self.source) if isinstance(self.source, tuple) else 0)


def _work_of(parts: Iterable[str | Placeholder]) -> int:
    return sum(1 + len(choice.steps) for part in parts if isinstance(part, Placeholder) for choice in part.choices)


def parse_columns(columns: Sequence[Column]) -> tuple[list[ParsedColumn], list[MappingProblem]]:
    """Returns the columns that can be parsed, and the first problems. Without problems the mapping may be saved."""
    if not columns:
        return [], [MappingProblem("columns", "must name at least 1")]
    if len(columns) > MAX_COLUMNS:
        return [], [MappingProblem("columns", f"must name at most {MAX_COLUMNS}")]
    parsed, problems = list[ParsedColumn](), list[MappingProblem]()
    keys: dict[str, int] = {fold_key(META_KEY): -1}
    for index, column in enumerate(columns):
        key_problem = _problem_of_key(column.key, keys, index)
        if key_problem is not None:
            problems.append(MappingProblem(f"columns[{index}].key", key_problem))
        found = _parse(index, column)
        if isinstance(found, ParsedColumn):
            parsed.append(found)
        else:
            problems += found
        if len(problems) >= MAX_PROBLEMS:
            break
    if not problems and sum(each.work for each in parsed) > MAX_WORK:
        problems.append(MappingProblem("columns", f"can have at most {MAX_WORK} steps and placeholders in all"))
    return parsed, problems[:MAX_PROBLEMS]


def custom_problems(
    columns: Sequence[Column], parsed: Sequence[ParsedColumn], custom: Sequence[str]
) -> list[MappingProblem]:
    """Returns problems of columns with a custom field that the organization does not take from results."""
    custom_names = {CUSTOM + name for name in custom}
    problems = []
    for index, (column, each) in enumerate(zip(columns, parsed, strict=True)):
        for field in each.fields:
            if field.name.startswith(CUSTOM) and field.name not in custom_names:
                place, text = _place_of_source(index, column)
                offset = None if text is None else max(text.find(field.name), 0)
                problems.append(MappingProblem(place, unknown_field(field.name, custom), offset))
    return problems[:MAX_PROBLEMS]


def clay_fields(parsed: Iterable[ParsedColumn]) -> frozenset[str]:
    """Returns the fields with values of Clay that these columns need."""
    return frozenset(field.name for each in parsed for field in each.fields if field.origin is FieldOrigin.CLAY)


def fold_key(key: str) -> str:
    """Clay compares names of columns without case; `a_b` and `A B` are the same to most of its pickers."""
    return "".join(character for character in key.casefold() if character not in "_ -")


def _problem_of_key(key: str, keys: dict[str, int], index: int) -> str | None:
    if not key or key != key.strip():
        return "must not be empty, nor begin or end with white space"
    if len(key) > MAX_KEY:
        return f"must have at most {MAX_KEY} characters"
    if not key.isprintable():
        return "must have no line breaks and no control characters"
    other_index = keys.setdefault(fold_key(key), index)
    if other_index == -1:
        return "`_meta` is written by the service and cannot be replaced"
    return None if other_index == index else f"differs from columns[{other_index}].key only in case, `_`, `-` or spaces"


def _parse(index: int, column: Column) -> ParsedColumn | list[MappingProblem]:
    place, _ = _place_of_source(index, column)
    problems = list[MappingProblem]()
    set_sources = [name for name, value in _sources(column).items() if value is not None]
    source: Any = None
    if len(set_sources) != 1:
        problems.append(
            MappingProblem(f"columns[{index}]", "needs exactly one of `field`, `constant`, `template` and `first_of`")
        )
    elif set_sources == ["first_of"]:
        source = _parse_first_of(place, column.first_of, problems)
    else:
        source = _attempt(place, problems, partial(_parse_source, column))
    steps = [
        step
        for number, text in enumerate(column.steps[:MAX_STEPS])
        if (step := _attempt(f"columns[{index}].steps[{number}]", problems, partial(parse_step, text))) is not None
    ]
    if len(column.steps) > MAX_STEPS:
        problems.append(MappingProblem(f"columns[{index}].steps", f"must name at most {MAX_STEPS}"))
    if column.empty is EmptyValue.TEXT and column.type not in TEXTS:
        problems.append(MappingProblem(f"columns[{index}].empty", f"`text` does not fit the type `{column.type}`"))
    return problems or ParsedColumn(column.key, source, steps, column.type, column.empty)


def _sources(column: Column) -> dict[str, object]:
    return {
        "field": column.field, "constant": column.constant, "template": column.template,
        "first_of": column.first_of or None,
    }  # fmt: skip


def _place_of_source(index: int, column: Column) -> tuple[str, str | None]:
    """The place, and the text in which an offset counts."""
    for name, value in _sources(column).items():
        if value is not None:
            return f"columns[{index}].{name}", value if isinstance(value, str) else None
    return f"columns[{index}]", None


def _parse_source(column: Column) -> Any:
    if column.field is not None:
        return parse_field(column.field)
    if column.template is not None:
        return tuple(parse_template(column.template))
    if isinstance(column.constant, str):
        check_text(column.constant, MAX_TEMPLATE)
    return column.constant


def _parse_first_of(place: str, texts: Sequence[str], problems: list[MappingProblem]) -> Placeholder:
    if len(texts) > MAX_CHOICES:
        problems.append(MappingProblem(place, f"must name at most {MAX_CHOICES}"))
    choices = list[Choice]()
    for number, text in enumerate(texts[:MAX_CHOICES]):
        choice = _attempt(f"{place}[{number}]", problems, partial(parse_choice, text))
        if choice is not None:
            choices.append(choice)
    return Placeholder(tuple(choices))


def _attempt(place: str, problems: list[MappingProblem], parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except MappingSyntaxError as problem:
        problems.append(MappingProblem(place, problem.message, problem.offset))
        return None
